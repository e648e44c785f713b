/**
 * s2a: fine-tune pretrained vision models inside a fixed memory budget.
 *
 *     import { trainJob, loadClassifier } from 's2a';
 *     await trainJob({ model: 'models/vit-tiny', data: 'photos', out: 'adapter', budget: '30MiB' });
 *     const classifier = loadClassifier('adapter', { model: 'models/vit-tiny' });
 *     classifier.predict(rgb, width, height)[0].label;
 */
export { type AdapterFile, type AdapterInfo, readAdapter } from './adapterfile.ts';
export { type Base, openBase, preprocessOf } from './base.ts';
export type { Bytes } from './bytes.ts';
export type { CalibratedLayer, Calibration } from './calibrate/file.ts';
export { type CalibrateJob, calibrateJob } from './calibrate/job.ts';
export { type Classifier, type ClassifierOptions, loadClassifier, type Prediction } from './classifier.ts';
export { type Compiled, type CompileOptions, compile } from './compile.ts';
export { decodePicture } from './data/decode.ts';
export type { ImageSize, Preprocess } from './data/preprocess.ts';
export { createEngine, type Engine, loadWeights } from './engine.ts';
export { BudgetError, EngineError, type ErrorCode, InputError, Interrupted, type Parts, S2aError } from './error.ts';
export { type FidelityJob, fidelity } from './fidelity/index.ts';
export type { Agreement, BlockFidelity, Fidelity, ModuleFidelity } from './fidelity/measure.ts';
export { type FitOptions, fit } from './fit.ts';
export { type JobHooks, type JobResult, type TrainJob, trainJob } from './job.ts';
export { type KeepPlan, keepOf } from './keep.ts';
export { type MergeOptions, type MergeResult, mergeAdapter } from './merge/index.ts';
export { exportPeft, type PeftOptions, type PeftResult } from './merge/peft.ts';
export { type Model, parseModel, readModel } from './models/index.ts';
export { type Method, methodOf } from './modules/method.ts';
export { type Packed, type PackJob, packJob } from './pack.ts';
export { type PackedInference, type PackInferenceJob, packInference } from './packinfer.ts';
export { type PlanReport, planReport } from './planreport.ts';
export type { Precision } from './precision.ts';
export { decodeProgram } from './program/decode.ts';
export { printProgram } from './program/print.ts';
export { encodeProgram, type Program } from './program/program.ts';
export { VERSION } from './version.ts';
