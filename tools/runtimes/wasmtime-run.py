"""Runs a WASI command under wasmtime's Python embedding (pip install wasmtime):

    python wasmtime-run.py [--memory BYTES] [--compiled FILE] <name=folder>... -- s2a.wasm <arguments...>

--memory limits the linear memory, as `wasmtime -W max-memory-size` does. --compiled keeps the machine code in FILE and loads it from there
the next time, so that no compiler is needed then. The last line on standard error is `peak <bytes> <ms>`: the process's resident peak, and
the processor time that the program took.
"""
import resource
import sys
import time
from pathlib import Path

from wasmtime import Engine, ExitTrap, Func, Linker, Module, Store, WasiConfig


def main(words):
    at = words.index("--")
    options, (wasm, *arguments) = words[:at], words[at + 1 :]
    memory, compiled, folders = -1, None, []
    while options:
        word = options.pop(0)
        if word == "--memory":
            memory = int(options.pop(0))
        elif word == "--compiled":
            compiled = Path(options.pop(0))
        else:
            folders.append(word.split("=", 1))
    engine = Engine()
    if compiled is not None and compiled.exists():
        module = Module.deserialize_file(engine, str(compiled))
    else:
        module = Module.from_file(engine, wasm)
        if compiled is not None:
            compiled.write_bytes(module.serialize())
    store = Store(engine)
    store.set_limits(memory_size=memory)
    wasi = WasiConfig()
    wasi.argv = ["s2a.wasm", *arguments]
    wasi.inherit_stdin()
    wasi.inherit_stdout()
    wasi.inherit_stderr()
    for name, folder in folders:
        wasi.preopen_dir(folder, name)
    store.set_wasi(wasi)
    linker = Linker(engine)
    linker.define_wasi()
    code = 0
    began = time.process_time()
    try:
        start = linker.instantiate(store, module).exports(store)["_start"]
        assert isinstance(start, Func)
        began = time.process_time()
        start(store)
    except ExitTrap as end:
        code = end.code
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"peak {peak} {(time.process_time() - began) * 1000:.3f}", file=sys.stderr)
    return code


sys.exit(main(sys.argv[1:]))
