import * as z from 'zod';
import { duration, group, hasEachIdOnce, setting } from '../setting-types.ts';
import { browserCheck } from './smoke-checks/browser.ts';
import { commandCheck } from './smoke-checks/command.ts';
import { composeCheck } from './smoke-checks/compose.ts';
import { dnsCheck } from './smoke-checks/dns.ts';
import { httpCheck } from './smoke-checks/http.ts';
import { logCheck } from './smoke-checks/log.ts';
import { routingCheck } from './smoke-checks/routing.ts';
import { sqlCheck } from './smoke-checks/sql.ts';
import { tcpCheck } from './smoke-checks/tcp.ts';
import { tlsCheck } from './smoke-checks/tls.ts';
import { unitCheck } from './smoke-checks/unit.ts';
import { writeCanaryCheck } from './smoke-checks/write-canary.ts';

/** A check of any kind, as the plan writes it. */
export const checkSchema = z.discriminatedUnion(
  'kind',
  [
    httpCheck,
    routingCheck,
    sqlCheck,
    writeCanaryCheck,
    tcpCheck,
    dnsCheck,
    tlsCheck,
    unitCheck,
    composeCheck,
    commandCheck,
    logCheck,
    browserCheck,
  ],
  'is http, routing, sql, write-canary, tcp, dns, tls, unit, compose, command, log or browser',
);
export type SmokeCheck = z.output<typeof checkSchema>;

/** A check of one kind. */
export type CheckOf<K extends SmokeCheck['kind']> = Extract<SmokeCheck, { kind: K }>;

export const smokeTestShape = {
  checks: setting(
    z
      .array(checkSchema, 'is a list of checks')
      .prefault([])
      .refine(hasEachIdOnce, 'has each id once')
      .refine(
        (checks) =>
          checks.every(
            (check) =>
              check.kind !== 'log' || (check.file === undefined) !== (check.journal === undefined),
          ),
        'has either file or journal in each check of kind log',
      ),
    {
      form: 'document',
      description:
        'Checks of the kinds `http`, `routing` (each address behind the name), `sql`, `write-canary`, `tcp`, `dns`, `tls`, `unit`, `compose`, `command`, `log` and `browser`.',
      example: '- id: health\n  kind: http\n  url: /healthz',
    },
  ),
  deadline: setting(duration().prefault('60s'), {
    form: 'text',
    description:
      'Until when failing checks are tried again, with growing pauses; then they have failed.',
  }),
  'first-pause': setting(duration().prefault('250ms'), {
    form: 'text',
    description: 'Pause before the first repetition; it doubles each time up to 5 s.',
  }),
};

export const smokeTestGroup = group(smokeTestShape);

export const smokeTestInvocation = {
  'junit-file': setting(z.string('is a path').optional(), {
    form: 'text',
    description:
      'Path on the runner for the results as JUnit XML; by default a file in the folder `RUNNER_TEMP`.',
  }),
};
