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
export type { CalibrateJob } from './calibrate/job.ts';
export type { Classifier, ClassifierOptions, Prediction } from './classifier.ts';
export { type Compiled, type CompileOptions, compile } from './compile.ts';
export type { ImageSize, Preprocess } from './data/preprocess.ts';
export { createEngine, type Engine, loadWeights } from './engine.ts';
export { BudgetError, EngineError, type ErrorCode, InputError, Interrupted, type Parts, S2aError } from './error.ts';
export type { FidelityJob } from './fidelity/index.ts';
export type { Agreement, BlockFidelity, Fidelity, ModuleFidelity } from './fidelity/measure.ts';
export type { Chosen, FitOptions, Fitted } from './fit.ts';
export type { HeadFound, NoHead } from './headstart.ts';
export type { JobHooks, JobResult, PrepareEvent, StartEvent, TrainJob } from './jobtypes.ts';
export { type KeepPlan, keepOf } from './keep.ts';
export {
  calibrateJob,
  decodePicture,
  exportPeft,
  fidelity,
  loadClassifier,
  mergeAdapter,
  packInference,
  packJob,
  planForBudget,
  trainJob,
} from './library.ts';
export type { MergeOptions, MergeResult } from './merge/index.ts';
export type { PeftOptions, PeftResult } from './merge/peft.ts';
export { type Model, parseModel, readModel } from './models/index.ts';
export { type Method, methodOf } from './modules/method.ts';
export type { Outcome } from './outcome.ts';
export type { Packed, PackHooks, PackJob } from './pack.ts';
export type { PackedInference, PackInferenceJob } from './packinfer.ts';
export { type PlanReport, planReport } from './planreport.ts';
export type { Precision } from './precision.ts';
export { decodeProgram } from './program/decode.ts';
export { printProgram } from './program/print.ts';
export { encodeProgram, type Program } from './program/program.ts';
export type { BackEvent, EpochResult, Figures, Judged, StepEvent } from './train.ts';
export { VERSION } from './version.ts';
export { type EngineFile, type EngineSource, useEngine } from './wasm.ts';
