BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num TEXT NOT NULL, 
	PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE arm_stages (
	arm_id INTEGER NOT NULL, 
	stage_key TEXT NOT NULL, 
	PRIMARY KEY (arm_id, stage_key), 
	FOREIGN KEY(arm_id) REFERENCES arms (id), 
	FOREIGN KEY(stage_key) REFERENCES stages ("key")
);
INSERT INTO "arm_stages" VALUES(1,'score-sft-0-quiz-accuracy');
INSERT INTO "arm_stages" VALUES(1,'train-sft-0');
INSERT INTO "arm_stages" VALUES(2,'score-sft-1-quiz-accuracy');
INSERT INTO "arm_stages" VALUES(2,'train-sft-1');
INSERT INTO "arm_stages" VALUES(3,'score-sft-2-quiz-accuracy');
INSERT INTO "arm_stages" VALUES(3,'train-sft-2');
INSERT INTO "arm_stages" VALUES(4,'score-dpo-0-quiz-accuracy');
INSERT INTO "arm_stages" VALUES(4,'train-dpo-0');
INSERT INTO "arm_stages" VALUES(5,'score-dpo-1-quiz-accuracy');
INSERT INTO "arm_stages" VALUES(5,'train-dpo-1');
INSERT INTO "arm_stages" VALUES(6,'score-dpo-2-quiz-accuracy');
INSERT INTO "arm_stages" VALUES(6,'train-dpo-2');
INSERT INTO "arm_stages" VALUES(7,'score-uft-0-quiz-accuracy');
INSERT INTO "arm_stages" VALUES(8,'score-kto-0-quiz-accuracy');
INSERT INTO "arm_stages" VALUES(1,'score-sft-0-quiz-fitted');
CREATE TABLE arms (
	id INTEGER NOT NULL, 
	profile TEXT NOT NULL, 
	name TEXT NOT NULL, 
	method TEXT NOT NULL, 
	seed INTEGER NOT NULL, 
	settings JSON NOT NULL, 
	status TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (profile, name, seed), 
	FOREIGN KEY(profile) REFERENCES profiles (digest)
);
INSERT INTO "arms" VALUES(1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','sft','sft',0,'{}','ok','');
INSERT INTO "arms" VALUES(2,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','sft','sft',1,'{}','ok','');
INSERT INTO "arms" VALUES(3,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','sft','sft',2,'{}','ok','');
INSERT INTO "arms" VALUES(4,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','dpo','dpo',0,'{}','ok','');
INSERT INTO "arms" VALUES(5,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','dpo','dpo',1,'{}','ok','');
INSERT INTO "arms" VALUES(6,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','dpo','dpo',2,'{}','ok','');
INSERT INTO "arms" VALUES(7,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','uft','uft',0,'{}','ok','');
INSERT INTO "arms" VALUES(8,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','kto','kto',0,'{}','ok','');
INSERT INTO "arms" VALUES(9,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','kto','kto',1,'{}','diverged','loss is NaN at step 17');
CREATE TABLE items (
	score_id INTEGER NOT NULL, 
	item TEXT NOT NULL, 
	value FLOAT, 
	detail JSON NOT NULL, 
	PRIMARY KEY (score_id, item), 
	FOREIGN KEY(score_id) REFERENCES scores (id) ON DELETE CASCADE
);
INSERT INTO "items" VALUES(1,'q000',100.0,'{}');
INSERT INTO "items" VALUES(1,'q001',100.0,'{}');
INSERT INTO "items" VALUES(1,'q002',0.0,'{}');
INSERT INTO "items" VALUES(1,'q003',0.0,'{}');
INSERT INTO "items" VALUES(1,'q004',0.0,'{}');
INSERT INTO "items" VALUES(1,'q005',0.0,'{}');
INSERT INTO "items" VALUES(1,'q006',0.0,'{}');
INSERT INTO "items" VALUES(1,'q007',0.0,'{}');
INSERT INTO "items" VALUES(2,'q000',100.0,'{}');
INSERT INTO "items" VALUES(2,'q001',100.0,'{}');
INSERT INTO "items" VALUES(2,'q002',100.0,'{}');
INSERT INTO "items" VALUES(2,'q003',0.0,'{}');
INSERT INTO "items" VALUES(2,'q004',0.0,'{}');
INSERT INTO "items" VALUES(2,'q005',0.0,'{}');
INSERT INTO "items" VALUES(2,'q006',0.0,'{}');
INSERT INTO "items" VALUES(2,'q007',0.0,'{}');
INSERT INTO "items" VALUES(3,'q000',100.0,'{}');
INSERT INTO "items" VALUES(3,'q001',100.0,'{}');
INSERT INTO "items" VALUES(3,'q002',0.0,'{}');
INSERT INTO "items" VALUES(3,'q003',0.0,'{}');
INSERT INTO "items" VALUES(3,'q004',0.0,'{}');
INSERT INTO "items" VALUES(3,'q005',0.0,'{}');
INSERT INTO "items" VALUES(3,'q006',0.0,'{}');
INSERT INTO "items" VALUES(3,'q007',0.0,'{}');
INSERT INTO "items" VALUES(4,'q000',100.0,'{}');
INSERT INTO "items" VALUES(4,'q001',100.0,'{}');
INSERT INTO "items" VALUES(4,'q002',100.0,'{}');
INSERT INTO "items" VALUES(4,'q003',100.0,'{}');
INSERT INTO "items" VALUES(4,'q004',0.0,'{}');
INSERT INTO "items" VALUES(4,'q005',0.0,'{}');
INSERT INTO "items" VALUES(4,'q006',0.0,'{}');
INSERT INTO "items" VALUES(4,'q007',0.0,'{}');
INSERT INTO "items" VALUES(5,'q000',100.0,'{}');
INSERT INTO "items" VALUES(5,'q001',100.0,'{}');
INSERT INTO "items" VALUES(5,'q002',100.0,'{}');
INSERT INTO "items" VALUES(5,'q003',100.0,'{}');
INSERT INTO "items" VALUES(5,'q004',100.0,'{}');
INSERT INTO "items" VALUES(5,'q005',0.0,'{}');
INSERT INTO "items" VALUES(5,'q006',0.0,'{}');
INSERT INTO "items" VALUES(5,'q007',0.0,'{}');
INSERT INTO "items" VALUES(6,'q000',100.0,'{}');
INSERT INTO "items" VALUES(6,'q001',100.0,'{}');
INSERT INTO "items" VALUES(6,'q002',100.0,'{}');
INSERT INTO "items" VALUES(6,'q003',100.0,'{}');
INSERT INTO "items" VALUES(6,'q004',0.0,'{}');
INSERT INTO "items" VALUES(6,'q005',0.0,'{}');
INSERT INTO "items" VALUES(6,'q006',0.0,'{}');
INSERT INTO "items" VALUES(6,'q007',0.0,'{}');
INSERT INTO "items" VALUES(7,'q000',100.0,'{}');
INSERT INTO "items" VALUES(7,'q001',0.0,'{}');
INSERT INTO "items" VALUES(7,'q002',100.0,'{}');
INSERT INTO "items" VALUES(7,'q003',NULL,'{}');
INSERT INTO "items" VALUES(7,'q004',0.0,'{}');
INSERT INTO "items" VALUES(7,'q005',0.0,'{}');
INSERT INTO "items" VALUES(7,'q006',100.0,'{}');
INSERT INTO "items" VALUES(7,'q007',100.0,'{}');
INSERT INTO "items" VALUES(8,'q000',100.0,'{}');
INSERT INTO "items" VALUES(8,'q001',0.0,'{}');
INSERT INTO "items" VALUES(8,'q002',100.0,'{}');
INSERT INTO "items" VALUES(8,'q003',0.0,'{}');
INSERT INTO "items" VALUES(8,'q004',100.0,'{}');
INSERT INTO "items" VALUES(8,'q005',0.0,'{}');
INSERT INTO "items" VALUES(8,'q006',100.0,'{}');
INSERT INTO "items" VALUES(8,'q007',0.0,'{}');
CREATE TABLE profiles (
	digest TEXT NOT NULL, 
	name TEXT NOT NULL, 
	spec JSON NOT NULL, 
	created DATETIME NOT NULL, 
	recorded DATETIME NOT NULL, 
	PRIMARY KEY (digest)
);
INSERT INTO "profiles" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','small','{"title": "A small study"}','2026-01-02 00:00:00.000000','2026-11-21 17:48:20.661902');
CREATE TABLE scores (
	id INTEGER NOT NULL, 
	arm_id INTEGER NOT NULL, 
	stage_key TEXT NOT NULL, 
	suite TEXT NOT NULL, 
	metric TEXT NOT NULL, 
	value FLOAT, 
	standard_error FLOAT, 
	n_expected INTEGER NOT NULL, 
	n_scored INTEGER NOT NULL, 
	higher_is_better BOOLEAN NOT NULL, 
	detail JSON NOT NULL, 
	itemised BOOLEAN NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (arm_id, suite, metric), 
	FOREIGN KEY(arm_id) REFERENCES arms (id), 
	FOREIGN KEY(stage_key) REFERENCES stages ("key")
);
INSERT INTO "scores" VALUES(1,1,'score-sft-0-quiz-accuracy','quiz','accuracy',25.0,NULL,8,8,1,'{"aggregate": "mean", "unit": "percent"}',1);
INSERT INTO "scores" VALUES(2,2,'score-sft-1-quiz-accuracy','quiz','accuracy',37.5,NULL,8,8,1,'{"aggregate": "mean", "unit": "percent"}',1);
INSERT INTO "scores" VALUES(3,3,'score-sft-2-quiz-accuracy','quiz','accuracy',25.0,NULL,8,8,1,'{"aggregate": "mean", "unit": "percent"}',1);
INSERT INTO "scores" VALUES(4,4,'score-dpo-0-quiz-accuracy','quiz','accuracy',50.0,NULL,8,8,1,'{"aggregate": "mean", "unit": "percent"}',1);
INSERT INTO "scores" VALUES(5,5,'score-dpo-1-quiz-accuracy','quiz','accuracy',62.5,NULL,8,8,1,'{"aggregate": "mean", "unit": "percent"}',1);
INSERT INTO "scores" VALUES(6,6,'score-dpo-2-quiz-accuracy','quiz','accuracy',50.0,NULL,8,8,1,'{"aggregate": "mean", "unit": "percent"}',1);
INSERT INTO "scores" VALUES(7,7,'score-uft-0-quiz-accuracy','quiz','accuracy',5.7142857142857145904e+01,NULL,8,7,1,'{"aggregate": "mean", "unit": "percent"}',1);
INSERT INTO "scores" VALUES(8,8,'score-kto-0-quiz-accuracy','quiz','accuracy',50.0,NULL,8,8,1,'{"aggregate": "mean", "unit": "percent"}',1);
INSERT INTO "scores" VALUES(9,1,'score-sft-0-quiz-fitted','quiz','fitted',61.0,2.0,5,5,1,'{"unit": "percent"}',0);
CREATE TABLE stages (
	"key" TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	spec JSON NOT NULL, 
	status TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	artifact TEXT, 
	content TEXT, 
	started DATETIME, 
	seconds FLOAT, 
	host TEXT, 
	"commit" TEXT, 
	dirty BOOLEAN, 
	versions JSON NOT NULL, 
	command TEXT, 
	PRIMARY KEY ("key")
);
INSERT INTO "stages" VALUES('score-sft-0-quiz-accuracy','score',1,'{"limit": 5}','ok','','score/score-sft-0-quiz-accuracy','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','2026-01-02 03:04:05.000000',1.5,'node-1','0123456789abcdef',0,'{"numpy": "2.3.5"}','bridgebench run small');
INSERT INTO "stages" VALUES('train-sft-0','train',1,'{"limit": 5}','ok','','train/train-sft-0','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','2026-01-02 03:04:05.000000',1.5,'node-1','0123456789abcdef',0,'{"numpy": "2.3.5"}','bridgebench run small');
INSERT INTO "stages" VALUES('score-sft-1-quiz-accuracy','score',1,'{"limit": 5}','ok','','score/score-sft-1-quiz-accuracy','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','2026-01-02 03:04:05.000000',1.5,'node-1','0123456789abcdef',0,'{"numpy": "2.3.5"}','bridgebench run small');
INSERT INTO "stages" VALUES('train-sft-1','train',1,'{"limit": 5}','ok','','train/train-sft-1','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','2026-01-02 03:04:05.000000',1.5,'node-1','0123456789abcdef',0,'{"numpy": "2.3.5"}','bridgebench run small');
INSERT INTO "stages" VALUES('score-sft-2-quiz-accuracy','score',1,'{"limit": 5}','ok','','score/score-sft-2-quiz-accuracy','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','2026-01-02 03:04:05.000000',1.5,'node-1','0123456789abcdef',0,'{"numpy": "2.3.5"}','bridgebench run small');
INSERT INTO "stages" VALUES('train-sft-2','train',1,'{"limit": 5}','ok','','train/train-sft-2','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','2026-01-02 03:04:05.000000',1.5,'node-1','0123456789abcdef',0,'{"numpy": "2.3.5"}','bridgebench run small');
INSERT INTO "stages" VALUES('score-dpo-0-quiz-accuracy','score',1,'{"limit": 5}','ok','','score/score-dpo-0-quiz-accuracy','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','2026-01-02 03:04:05.000000',1.5,'node-1','0123456789abcdef',0,'{"numpy": "2.3.5"}','bridgebench run small');
INSERT INTO "stages" VALUES('train-dpo-0','train',1,'{"limit": 5}','ok','','train/train-dpo-0','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','2026-01-02 03:04:05.000000',1.5,'node-1','0123456789abcdef',0,'{"numpy": "2.3.5"}','bridgebench run small');
INSERT INTO "stages" VALUES('score-dpo-1-quiz-accuracy','score',1,'{"limit": 5}','ok','','score/score-dpo-1-quiz-accuracy','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','2026-01-02 03:04:05.000000',1.5,'node-1','0123456789abcdef',0,'{"numpy": "2.3.5"}','bridgebench run small');
INSERT INTO "stages" VALUES('train-dpo-1','train',1,'{"limit": 5}','ok','','train/train-dpo-1','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','2026-01-02 03:04:05.000000',1.5,'node-1','0123456789abcdef',0,'{"numpy": "2.3.5"}','bridgebench run small');
INSERT INTO "stages" VALUES('score-dpo-2-quiz-accuracy','score',1,'{"limit": 5}','ok','','score/score-dpo-2-quiz-accuracy','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','2026-01-02 03:04:05.000000',1.5,'node-1','0123456789abcdef',0,'{"numpy": "2.3.5"}','bridgebench run small');
INSERT INTO "stages" VALUES('train-dpo-2','train',1,'{"limit": 5}','ok','','train/train-dpo-2','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','2026-01-02 03:04:05.000000',1.5,'node-1','0123456789abcdef',0,'{"numpy": "2.3.5"}','bridgebench run small');
INSERT INTO "stages" VALUES('score-uft-0-quiz-accuracy','score',1,'{"limit": 5}','ok','','score/score-uft-0-quiz-accuracy','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','2026-01-02 03:04:05.000000',1.5,'node-1','0123456789abcdef',0,'{"numpy": "2.3.5"}','bridgebench run small');
INSERT INTO "stages" VALUES('score-kto-0-quiz-accuracy','score',1,'{"limit": 5}','ok','','score/score-kto-0-quiz-accuracy','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','2026-01-02 03:04:05.000000',1.5,'node-1','0123456789abcdef',0,'{"numpy": "2.3.5"}','bridgebench run small');
INSERT INTO "stages" VALUES('score-sft-0-quiz-fitted','score',1,'{"limit": 5}','ok','','score/score-sft-0-quiz-fitted','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','2026-01-02 03:04:05.000000',1.5,'node-1','0123456789abcdef',0,'{"numpy": "2.3.5"}','bridgebench run small');
CREATE TABLE training_curves (
	stage_key TEXT NOT NULL, 
	step INTEGER NOT NULL, 
	metric TEXT NOT NULL, 
	examples INTEGER NOT NULL, 
	tokens INTEGER NOT NULL, 
	value FLOAT, 
	PRIMARY KEY (stage_key, step, metric), 
	FOREIGN KEY(stage_key) REFERENCES stages ("key")
);
INSERT INTO "training_curves" VALUES('train-sft-0',1,'loss',8,100,1.0);
INSERT INTO "training_curves" VALUES('train-sft-0',2,'loss',16,200,0.5);
INSERT INTO "training_curves" VALUES('train-sft-0',3,'loss',24,300,3.33333333333333314829e-01);
INSERT INTO "training_curves" VALUES('train-sft-1',1,'loss',8,100,1.0);
INSERT INTO "training_curves" VALUES('train-sft-1',2,'loss',16,200,0.5);
INSERT INTO "training_curves" VALUES('train-sft-1',3,'loss',24,300,3.33333333333333314829e-01);
INSERT INTO "training_curves" VALUES('train-sft-2',1,'loss',8,100,1.0);
INSERT INTO "training_curves" VALUES('train-sft-2',2,'loss',16,200,0.5);
INSERT INTO "training_curves" VALUES('train-sft-2',3,'loss',24,300,3.33333333333333314829e-01);
INSERT INTO "training_curves" VALUES('train-dpo-0',1,'loss',8,100,1.0);
INSERT INTO "training_curves" VALUES('train-dpo-0',2,'loss',16,200,0.5);
INSERT INTO "training_curves" VALUES('train-dpo-0',3,'loss',24,300,3.33333333333333314829e-01);
INSERT INTO "training_curves" VALUES('train-dpo-1',1,'loss',8,100,1.0);
INSERT INTO "training_curves" VALUES('train-dpo-1',2,'loss',16,200,0.5);
INSERT INTO "training_curves" VALUES('train-dpo-1',3,'loss',24,300,3.33333333333333314829e-01);
INSERT INTO "training_curves" VALUES('train-dpo-2',1,'loss',8,100,1.0);
INSERT INTO "training_curves" VALUES('train-dpo-2',2,'loss',16,200,0.5);
INSERT INTO "training_curves" VALUES('train-dpo-2',3,'loss',24,300,3.33333333333333314829e-01);
CREATE INDEX ix_profiles_name ON profiles (name);
COMMIT;
