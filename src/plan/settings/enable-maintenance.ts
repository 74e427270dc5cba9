import * as z from 'zod';
import { defaultMode, modeNames } from '../modes.ts';
import {
  absolutePath,
  hostPath,
  duration,
  exemptPath,
  group,
  line,
  pattern,
  scalar,
  secretReference,
  setting,
} from '../setting-types.ts';
import { servicesType } from './services.ts';

const headerName = z
  .string('is a header name')
  .regex(/^[A-Za-z][A-Za-z0-9-]*$/, 'is a header name of letters, digits and dashes');
const cookieName = z
  .string('is a cookie name')
  .regex(/^[A-Za-z][A-Za-z0-9_]*$/, 'is a cookie name of letters, digits and underscores');
const addressRange = z.union(
  [z.ipv4(), z.cidrv4(), z.ipv6(), z.cidrv6()],
  'is an IPv4 or IPv6 address or range such as 192.0.2.0/24',
);

export const enableMaintenanceShape = {
  mode: setting(z.enum(modeNames, 'is nginx, app or command').prefault(defaultMode), {
    form: 'text',
    description:
      'How the site is closed: by `nginx`, by a key in a settings file of the application (`app`), or by commands of yours (`command`).',
  }),
  'site-files': setting(z.array(absolutePath()).prefault([]), {
    form: 'list',
    description: 'nginx files with the `server` blocks of the site.',
    example: '/etc/nginx/sites-available/shop',
  }),
  servers: setting(z.array(line()).prefault([]), {
    form: 'list',
    description: 'Names (`server_name`) of the blocks to close; by default all in the files.',
  }),
  'nginx-command': setting(z.array(line()).min(1, 'is not empty').prefault(['nginx']), {
    form: 'list',
    description: 'Command that runs nginx, one argument a line, with `-c` or `-p` where needed.',
  }),
  'reload-command': setting(z.array(line()).prefault([]), {
    form: 'list',
    description:
      'Command that reloads nginx, one argument a line; by default the nginx command with `-s reload`.',
    example: 'systemctl\nreload\nnginx',
  }),
  'app-file': setting(absolutePath().optional(), {
    form: 'text',
    description:
      'Mode `app`: settings file of the application on the host. One value in it is changed, everything else stays byte for byte.',
    example: '/srv/shop/.env',
  }),
  'app-format': setting(
    z
      .enum(
        ['auto', 'dotenv', 'ini', 'json', 'yaml', 'python'],
        'is auto, dotenv, ini, json, yaml or python',
      )
      .prefault('auto'),
    {
      form: 'text',
      description:
        'Mode `app`: what kind of file it is. `auto` goes by its name: `.env`, `.env.*`, `*.env`, `*.ini`, `*.cfg`, `*.json`, `*.yml`, `*.yaml`, `*.py`.',
    },
  ),
  'app-key': setting(line().optional(), {
    form: 'text',
    description:
      "Mode `app`: the key that closes the application. JSON and YAML: keys joined by dots; INI: `section.key`; Python: a name, or an entry such as `app.config['MAINTENANCE']`.",
    example: 'MAINTENANCE_MODE',
  }),
  'app-value': setting(scalar().optional(), {
    form: 'text',
    description:
      'Mode `app`: what the key is set to. By default the opposite of what is there, written the same way (`false` to `true`, `0` to `1`, `Off` to `On`).',
    example: 'maintenance',
  }),
  'app-create': setting(z.boolean('is true or false').prefault(false), {
    form: 'flag',
    description:
      'Mode `app`: whether the key is added when it is not there, and taken out again. Otherwise a missing key is refused, for it may be mistyped.',
  }),
  'app-reload-command': setting(z.array(line()).prefault([]), {
    form: 'list',
    description:
      'Mode `app`: command that makes the application read its settings, one argument a line; by default none, for one that does so at each request.',
    example: 'systemctl\nrestart\nshop',
  }),
  'close-command': setting(z.array(line()).prefault([]), {
    form: 'list',
    description: 'Mode `command`: command that closes the site, one argument a line.',
    example: 'php\nartisan\ndown',
  }),
  'open-command': setting(z.array(line()).prefault([]), {
    form: 'list',
    description: 'Mode `command`: command that opens the site, one argument a line.',
    example: 'php\nartisan\nup',
  }),
  'status-command': setting(z.array(line()).prefault([]), {
    form: 'list',
    description:
      'Mode `command`: command that tells whether the site is closed and changes nothing, one argument a line. Without `status-closed` its exit code counts: 0 closed, 1 open.',
    example: 'php\nartisan\nabout\n--json',
  }),
  'status-closed': setting(pattern().optional(), {
    form: 'text',
    description:
      'Mode `command`: regular expression that matches what the status command prints when the site is closed. No match means open, when the command ended well.',
    example: '"maintenance_mode":true',
  }),
  'status-open': setting(pattern().optional(), {
    form: 'text',
    description:
      'Mode `command`: regular expression that matches when the site is open; then exactly one of the two must match.',
    example: '"maintenance_mode":false',
  }),
  'command-directory': setting(absolutePath().optional(), {
    form: 'text',
    description: 'Folder on the host that the commands of the modes `app` and `command` run in.',
    example: '/srv/shop/current',
  }),
  'command-environment': setting(
    z
      .array(
        z
          .string('is the name of an environment variable')
          .regex(/^[A-Z_][A-Z0-9_]*$/, 'is the name of an environment variable such as APP_ENV'),
      )
      .prefault([]),
    {
      form: 'list',
      description:
        'Environment variables that the commands of the modes `app` and `command` get, by name.',
      example: 'HEROKU_API_KEY',
    },
  ),
  'command-timeout': setting(duration().prefault('2m'), {
    form: 'text',
    description: 'How long each command of the modes `app` and `command` may take.',
  }),
  'exempt-paths': setting(z.array(exemptPath()).prefault([]), {
    form: 'list',
    description:
      'Paths that the application goes on answering: exact, or a prefix with `*` at its end.',
    example: '/healthz',
  }),
  'bypass-addresses': setting(z.array(addressRange).prefault([]), {
    form: 'list',
    description: 'Addresses and ranges that still reach the application.',
    example: '192.0.2.0/24',
  }),
  'bypass-token': setting(secretReference().optional(), {
    form: 'text',
    description:
      'Environment variable with the secret of bypass header and cookie: 16 or more letters, digits and `._~-`.',
    example: '$MAINTENANCE_BYPASS_TOKEN',
  }),
  'bypass-header': setting(headerName.prefault('X-Maintenance-Bypass'), {
    form: 'text',
    description: 'Header that leads past the closed door when it holds the token.',
  }),
  'bypass-cookie': setting(cookieName.prefault('maintenance_bypass'), {
    form: 'text',
    description: 'Cookie that leads past the closed door when it holds the token.',
  }),
  page: setting(hostPath().optional(), {
    form: 'text',
    description:
      'Your own HTML page on the host, with everything inline; by default the built-in one.',
  }),
  title: setting(line().prefault('Down for maintenance'), {
    form: 'text',
    description: 'Title of the built-in page.',
  }),
  message: setting(
    line().prefault('We are carrying out planned maintenance and will be back shortly.'),
    {
      form: 'text',
      description: 'Message of the built-in page and of the JSON answer.',
    },
  ),
  'retry-after': setting(duration().prefault('2m'), {
    form: 'text',
    description: 'What `Retry-After` tells clients and crawlers.',
  }),
  'close-timeout': setting(duration().prefault('15s'), {
    form: 'text',
    description: 'How long the public URL may take to answer 503 before everything is undone.',
  }),
  'drain-timeout': setting(duration().prefault('30s'), {
    form: 'text',
    description: 'How long requests under way may take to end before everything is undone.',
  }),
  services: setting(servicesType, {
    form: 'document',
    description:
      'What is stopped while the site is closed, in this order, and started again in reverse: systemd units (`unit`), Compose services (`compose`), cron jobs (`cron`), your own commands (`command`). Only what was running is started again.',
    example: '- id: workers\n  kind: unit\n  unit: shop-workers.service',
  }),
};

export const enableMaintenanceGroup = group(enableMaintenanceShape);

export const enableMaintenanceInvocation = {
  'prepare-only': setting(z.boolean('is true or false').prefault(false), {
    form: 'flag',
    description:
      'Gets the mode ready and proves it, without closing (nginx: the hook is in place, and closing is then only a flag).',
  }),
};
