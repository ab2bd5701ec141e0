"""What of our environment vLLM's process gets."""

import pytest

from eval_suites.vllm_environment import SETTINGS, environment


@pytest.mark.parametrize(
    "name",
    [
        *("OPENAI_API_KEY", "JUDGE", "MY_ENDPOINT", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL"),
        *("HF_TOKEN", "VLLM_API_KEY", "HF_HUB_TOKEN", "CUDA_Password", "BRIDGEBENCH_HOME"),
    ],
)
def test_nothing_that_may_be_a_key_is_handed_on(name: str) -> None:
    assert name not in environment({name: "secret"}, "here")
    assert "secret" not in environment({name: "secret"}, "here").values()


def test_what_it_needs_is() -> None:
    given = {
        **{"PATH": "/bin", "HOME": "/home/me", "LD_LIBRARY_PATH": "/lib", "CUDA_VISIBLE_DEVICES": "1"},
        **{"OMP_NUM_THREADS": "4", "HF_HOME": "/cache", "NCCL_SOCKET_IFNAME": "lo", "TRITON_CACHE_DIR": "/t"},
    }
    assert environment(given, "here") == {**given, **SETTINGS, "PYTHONPATH": "here"}


def test_our_settings_come_before_given_ones_and_threads_are_one_where_nobody_says() -> None:
    found = environment({"VLLM_PLUGINS": "all", "PYTHONPATH": "there"}, "here")
    assert (found["VLLM_PLUGINS"], found["PYTHONPATH"], found["OMP_NUM_THREADS"]) == ("", "here", "1")
