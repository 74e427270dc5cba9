import module from 'node:module';
const { RUNNER_TEMP } = process.env;
if (RUNNER_TEMP) module.enableCompileCache?.(`${RUNNER_TEMP}/maintenance-window-compiled`);
const { runPostAction } = await import('./index.js');
await runPostAction('maintenance-window');
