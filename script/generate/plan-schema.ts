import { parse } from 'yaml';
import * as z from 'zod';
import { planSchema } from '../../src/plan/plan.ts';
import type { SettingForm } from '../../src/plan/setting-types.ts';
import type { GeneratedFile } from './generated-file.ts';

/**
 * The JSON Schema of the plan file, for editors. Draft 7, because that is what YAML language servers know best.
 * It knows everything but what only code can tell: whether a date or a time zone exists, and unique ids.
 */
export function planJsonSchema(): GeneratedFile {
  const schema = z.toJSONSchema(planSchema, {
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      const { form, example } = jsonSchema as { form?: SettingForm; example?: string };
      delete jsonSchema.form;
      delete jsonSchema.example;
      if (form !== undefined && example !== undefined)
        jsonSchema.examples = [asPlan(form, example)];
      // Formats of zod's own; the patterns beside them say the same.
      if ((jsonSchema.format ?? '').startsWith('cidr')) delete jsonSchema.format;
      const { task } = jsonSchema.properties ?? {};
      if (typeof task === 'object' && task.const === 'migrate') {
        jsonSchema.oneOf = [{ required: ['files'] }, { required: ['command'] }];
      }
    },
  });
  const { $schema, ...rest } = schema;
  const titled = {
    $schema,
    title: 'Maintenance plan',
    description: 'The plan file of a maintenance window, by custom `.github/maintenance.yml`.',
    ...rest,
  };
  const text = JSON.stringify(titled).replaceAll('__schema0', 'json');
  return { path: 'schema/plan.schema.json', text };
}

/** An input's example in the form of the plan. */
function asPlan(form: SettingForm, example: string): unknown {
  switch (form) {
    case 'list':
      return example.split('\n');
    case 'document':
      return parse(example) as unknown;
    case 'flag':
    case 'number':
      return JSON.parse(example) as unknown;
    case 'text':
      return example;
  }
}
