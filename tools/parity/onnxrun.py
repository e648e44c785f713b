"""Runs ONNX files by onnxruntime: a list of {file, pictures, out} as JSON; pictures and answers are f32, row-major, pictures [N, C, H, W].

Says for each file how much its own answers change, relative to the largest, when every number of the pictures is changed by its last bit: a
network of random weights may make much of that, and then no two orders of summation agree better.
"""
import json
import sys

import numpy as np
import onnx
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 3
for job in json.load(open(sys.argv[1])):
    try:
        onnx.checker.check_model(job["file"], full_check=True)
        session = onnxruntime.InferenceSession(job["file"], options, providers=["CPUExecutionProvider"])
        port = session.get_inputs()[0]
        pictures = np.fromfile(job["pictures"], dtype=np.float32).reshape(-1, *port.shape[1:])
        answers = session.run(None, {port.name: pictures})[0].astype(np.float32)
        answers.tofile(job["out"])
        beside = [np.nextafter(pictures, np.float32(towards)) for towards in (-np.inf, np.inf, 0)]
        changes = [np.abs(session.run(None, {port.name: other})[0] - answers).max() for other in beside]
        print(f"ok {max(changes) / np.abs(answers).max():e}")
    except Exception as error:
        print("failed: " + str(error).splitlines()[0])
