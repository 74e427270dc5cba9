import * as z from 'zod';
import {
  absolutePath,
  hostPath,
  duration,
  exemptPath,
  group,
  line,
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
  mode: setting(z.enum(['nginx'], 'is nginx').prefault('nginx'), {
    form: 'text',
    description: 'How the site is closed.',
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
      'Puts the hook in place and proves it, without closing; closing is then only a flag.',
  }),
};
