import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly required?: boolean;
  readonly schema: object;
}

interface Operation {
  readonly parameters: readonly Parameter[];
  readonly responses: Readonly<
    Record<
      string,
      { readonly content: { readonly 'application/json': { readonly schema: object } } }
    >
  >;
}

/** A request that the description knows, with its values as the types that the description gives them. */
export interface KnownRequest {
  readonly template: string;
  readonly path: Readonly<Record<string, string | number>>;
  readonly query: Readonly<Record<string, string | number>>;
}

/** Either what was asked, or why the description does not allow it. */
export type Judgement<T> =
  | { readonly kind: 'fits'; readonly value: T }
  | { readonly kind: 'violation'; readonly reason: string };

interface Checked {
  readonly template: string;
  readonly segments: readonly string[];
  readonly path: ValidateFunction;
  readonly query: ValidateFunction;
  readonly answer: ValidateFunction;
}

/**
 * From OpenAPI 3.0 to JSON Schema, and stricter: properties that the description does not name are refused, so
 * that neither a client nor a fake can live on fields that the API does not have; `null` joins a nullable enum.
 */
export function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== 'object' || schema === null) return schema;
  if ('allOf' in schema) throw new Error('allOf and closed objects do not go together');
  const result: Record<string, unknown> = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [
      key,
      // Under `properties` the keys are names and not keywords.
      key === 'properties'
        ? Object.fromEntries(
            Object.entries(value as object).map(([name, inner]) => [name, strict(inner)]),
          )
        : strict(value),
    ]),
  );
  if ('properties' in result) result.additionalProperties ??= false;
  if (result.nullable === true && Array.isArray(result.enum)) result.enum.push(null);
  return result;
}

/** Judges requests and answers by the committed extract of GitHub's OpenAPI description. */
export class OpenApiContract {
  readonly #operations: readonly Checked[];
  readonly #errors: Ajv;

  constructor() {
    const document = JSON.parse(
      readFileSync(join(import.meta.dirname, 'github-openapi.json'), 'utf8'),
    ) as { paths: Record<string, { get: Operation }> };
    const ajv = new Ajv({ allErrors: true });
    const coercing = new Ajv({ allErrors: true, coerceTypes: true, useDefaults: true });
    addFormats.default(ajv);
    addFormats.default(coercing);
    this.#errors = ajv;
    const parameters = (operation: Operation, place: Parameter['in']): ValidateFunction => {
      const own = operation.parameters.filter((parameter) => parameter.in === place);
      return coercing.compile({
        type: 'object',
        properties: Object.fromEntries(own.map(({ name, schema }) => [name, strict(schema)])),
        required: own.filter(({ required }) => required === true).map(({ name }) => name),
        additionalProperties: false,
      });
    };
    this.#operations = Object.entries(document.paths).map(([template, { get }]) => ({
      template,
      segments: template.split('/'),
      path: parameters(get, 'path'),
      query: parameters(get, 'query'),
      answer: ajv.compile(
        strict(get.responses['200']?.content['application/json'].schema) as object,
      ),
    }));
  }

  #judge<T>(check: ValidateFunction, value: T, what: string): Judgement<T> {
    if (check(value)) return { kind: 'fits', value };
    return {
      kind: 'violation',
      reason: this.#errors.errorsText(check.errors, { dataVar: what, separator: '; ' }),
    };
  }

  /** @param rawPath still URL-encoded, without the query */
  request(method: string, rawPath: string, query: URLSearchParams): Judgement<KnownRequest> {
    const given = rawPath.split('/');
    const operation = this.#operations.find(
      ({ segments }) =>
        segments.length === given.length &&
        segments.every((segment, index) => segment.startsWith('{') || segment === given[index]),
    );
    if (method !== 'GET' || operation === undefined) {
      return { kind: 'violation', reason: `${method} ${rawPath} is not in the description` };
    }
    const values = operation.segments.flatMap((segment, index) =>
      segment.startsWith('{')
        ? [[segment.slice(1, -1), decodeURIComponent(given[index] ?? '')] as const]
        : [],
    );
    const path = this.#judge(operation.path, Object.fromEntries(values), 'path');
    if (path.kind === 'violation') return path;
    const asked = this.#judge(operation.query, Object.fromEntries(query), 'query');
    if (asked.kind === 'violation') return asked;
    const { template } = operation;
    return { kind: 'fits', value: { template, path: path.value, query: asked.value } };
  }

  answer(template: string, body: object): Judgement<object> {
    const operation = this.#operations.find((one) => one.template === template);
    if (operation === undefined) return { kind: 'violation', reason: `no operation ${template}` };
    return this.#judge(operation.answer, body, 'answer');
  }
}
