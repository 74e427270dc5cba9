import module from 'node:module';
const { RUNNER_TEMP } = process.env;
if (RUNNER_TEMP) module.enableCompileCache?.(`${RUNNER_TEMP}/maintenance-window-compiled`);
const { runAction } = await import('./index.js');
await runAction('update-server');
