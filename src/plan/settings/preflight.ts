import * as z from 'zod';
import { bytes, duration, group, line, setting } from '../setting-types.ts';

export const preflightShape = {
  gates: setting(z.array(line()).prefault(['maintenance-approval']), {
    form: 'list',
    description: 'Environments that must exist and have required reviewers.',
  }),
  'accept-unprotected': setting(z.array(line()).prefault([]), {
    form: 'list',
    description: 'Gates that are accepted by name although nobody has to review them.',
  }),
  'long-transaction': setting(duration().prefault('5m'), {
    form: 'text',
    description: 'Age from which an open transaction is reported as in the way.',
  }),
  'free-disk': setting(bytes().prefault('256 MiB'), {
    form: 'text',
    description: 'Space that must stay free beyond what backup and restore test need.',
  }),
  'accept-invalid-indexes': setting(z.boolean('is true or false').prefault(true), {
    form: 'flag',
    description:
      'Whether invalid indexes are a warning (reindex repairs them) rather than a refusal.',
  }),
};

export const preflightGroup = group(preflightShape);

export const preflightInvocation = {
  'dry-run': setting(z.boolean('is true or false').prefault(false), {
    form: 'flag',
    description: 'Checks and predicts everything, then leaves without a record.',
  }),
  'ignore-window': setting(z.boolean('is true or false').prefault(false), {
    form: 'flag',
    description: 'Goes on outside the planned time; recorded and shown in the report.',
  }),
  reason: setting(z.string().max(1000, 'has at most 1000 characters').optional(), {
    form: 'text',
    description: 'Why this window is held, or the change request that asks for it.',
  }),
};
