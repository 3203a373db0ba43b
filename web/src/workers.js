// PARLEY_WORKERS: label → file beside this one, put in by build.mjs
globalThis.MonacoEnvironment = {
  getWorker: (_id, label) =>
    new Worker(new URL(PARLEY_WORKERS[label] ?? PARLEY_WORKERS.editorWorkerService, import.meta.url), { name: label }),
};
