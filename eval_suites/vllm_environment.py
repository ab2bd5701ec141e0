"""What vLLM's process finds in its environment: what it needs to run, and none of the keys that other parts hold."""

from collections.abc import Mapping

# No usage reports, no hub, no plugins, no other machine, and no bound cores: who starts it says on how many threads.
SETTINGS = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "VLLM_PLUGINS": "",
    "VLLM_HOST_IP": "127.0.0.1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # it is alone in its process already: starts in 10 s in place of 55
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",
}
# Where programs, libraries, homes and caches lie, the language, and the compiler that its kernels are built with.
_NAMES = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV"),
    *("LD_LIBRARY_PATH", "LD_PRELOAD", "LIBRARY_PATH", "CPATH", "CC", "CXX", "CFLAGS", "CXXFLAGS", "MAX_JOBS"),
)
# Of devices, threads and the libraries that compute; XDG_ and HF_ for their caches.
_FAMILIES = (
    *("CUDA_", "NVIDIA_", "NCCL_", "ROCR_", "HIP_", "HSA_", "ROCM_", "ZE_", "ONEAPI_"),
    *("OMP_", "KMP_", "GOMP_", "MKL_", "ONEDNN_", "DNNL_", "OPENBLAS_", "MALLOC_", "GLOO_"),
    *(
        "TORCH",
        "PYTORCH_",
        "TRITON_",
        "VLLM_",
        "FLASHINFER_",
        "TRANSFORMERS_",
        "HF_",
        "XDG_",
        "CONDA_",
        "PYTHON",
        "LC_",
    ),
)
_SECRETS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "AUTH")  # parts of a name that say what it holds


def environment(given: Mapping[str, str], python_path: str) -> dict[str, str]:
    """What of the `given` environment the process gets, with our settings of vLLM, which come before any given.

    python_path: where it finds our modules and its own
    A judge's key may have any name, so nothing is handed on but what is known to be needed.
    """
    kept = {name: value for name, value in given.items() if _is_needed(name)}
    return {"OMP_NUM_THREADS": "1", **kept, **SETTINGS, "PYTHONPATH": python_path}


def _is_needed(name: str) -> bool:
    return (name in _NAMES or name.startswith(_FAMILIES)) and not any(part in name.upper() for part in _SECRETS)
