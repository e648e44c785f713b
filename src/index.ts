/**
 * s2a: fine-tune pretrained vision models inside a fixed memory budget.
 *
 *     import { trainJob, loadClassifier } from 's2a';
 *     await trainJob({ model: 'models/vit-tiny', data: 'photos', out: 'adapter', budget: '30MiB' });
 *     const classifier = loadClassifier('adapter', { model: 'models/vit-tiny' });
 *     classifier.predict(rgb, width, height)[0].label;
 */

export type { Bytes } from './base/bytes.ts';
export { BudgetError, EngineError, type ErrorCode, InputError, Interrupted, type Parts, S2aError } from './base/error.ts';
export type { Precision } from './base/precision.ts';
export { VERSION } from './base/version.ts';
export { type PlanReport, planReport } from './budget/report.ts';
export type { Chosen, Planned, PlanOptions } from './budget/search.ts';
export { compile } from './compile.ts';
export { createEngine, type Engine, loadWeights } from './engine/engine.ts';
export { type EngineFile, type EngineSource, useEngine } from './engine/wasm.ts';
export { type AdapterFile, type AdapterInfo, readAdapter } from './formats/adapterfile.ts';
export { type Model, parseModel, readModel } from './import/index.ts';
export { type ModelFolder, openModelFolder, preprocessOf } from './import/modelfolder.ts';
export type { ArrayPreparation } from './input/example.ts';
export type { Normalize } from './input/normalize.ts';
export type { Preparation } from './input/preparation.ts';
export type { ImageSize, Preprocess } from './input/preprocess.ts';
export { type ServeJob, serve, watchFolder } from './live/library.ts';
export type { WatchEvent, WatchJob } from './live/watchtypes.ts';
export { type Method, methodOf } from './network/method.ts';
export { type KeepPolicy, keepOf } from './passes/keeppolicy.ts';
export type { Compiled } from './pipeline/compiled.ts';
export type { Augmentation, CompileOptions } from './pipeline/options.ts';
export { decodeProgram } from './program/decode.ts';
export { printProgram } from './program/print.ts';
export { encodeProgram, type Program } from './program/program.ts';
export type { CalibratedLayer, Calibration } from './training/calibrate/file.ts';
export type { CalibrateJob } from './training/calibrate/job.ts';
export type { EnrolJob, Enrolled } from './training/enrol.ts';
export type { HeadFound, NoHead } from './training/headstart.ts';
export type { JobHooks, JobResult, PrepareEvent, StartEvent, TrainJob } from './training/jobtypes.ts';
export type { Outcome } from './training/outcome.ts';
export type { BackEvent, EpochResult, Figures, Judged, StepEvent } from './training/train.ts';
export type { Classifier, ClassifierOptions, Prediction } from './use/classifier.ts';
export type { Embedded, EmbedJob } from './use/embed.ts';
export type { Embedder, EmbedderOptions } from './use/embedder.ts';
export type { FidelityJob } from './use/fidelity/fidelity.ts';
export type { Agreement, BlockFidelity, Fidelity, ModuleFidelity } from './use/fidelity/measure.ts';
export type { WorkerHooks } from './use/inworker.ts';
export {
  calibrateJob,
  decodePicture,
  embedJob,
  enrolJob,
  exportOnnx,
  exportPeft,
  fidelity,
  loadClassifier,
  loadEmbedder,
  mergeAdapter,
  packInference,
  packJob,
  planForBudget,
  readArray,
  similarity,
  trainInWorker,
  trainJob,
} from './use/library.ts';
export type { MergeOptions, MergeResult } from './use/merge/merge.ts';
export type { PeftOptions, PeftResult } from './use/merge/peft.ts';
export type { OnnxOptions, OnnxResult } from './use/onnx/export.ts';
export type { Packed, PackHooks, PackJob } from './use/pack.ts';
export type { PackedInference, PackInferenceJob } from './use/packinfer.ts';
export { createSmoothing, type Smoothing } from './use/smoothing.ts';
