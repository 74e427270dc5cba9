import type * as z from 'zod';

/** What of a zod definition is needed to walk it. */
interface Definition {
  readonly type: string;
  readonly in?: z.core.$ZodType;
  readonly innerType?: z.core.$ZodType;
  readonly element?: z.core.$ZodType;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly options?: readonly z.core.$ZodType[];
  readonly discriminator?: string;
  readonly values?: readonly unknown[];
}

/**
 * Keys that a schema knows at a path. Of a union, those of the member that the value at hand chooses by its
 * discriminator (`task`, `kind`); without a choice, those of all members.
 */
export function knownKeysAt(
  schema: z.core.$ZodType,
  value: unknown,
  path: readonly PropertyKey[],
): readonly string[] {
  const definition = definitionOf(schema);
  const inner = definition.in ?? definition.innerType;
  if (inner !== undefined) return knownKeysAt(inner, value, path);
  if (definition.options !== undefined) {
    const { discriminator } = definition;
    const chosen = discriminator === undefined ? undefined : entry(value, discriminator);
    const members = definition.options.filter((option) =>
      chooses(option, discriminator ?? '', chosen),
    );
    const options = members.length === 0 ? definition.options : members;
    return [...new Set(options.flatMap((option) => knownKeysAt(option, value, path)))];
  }
  const [head, ...tail] = path;
  if (definition.element !== undefined) {
    return knownKeysAt(
      definition.element,
      head === undefined ? undefined : entry(value, head),
      tail,
    );
  }
  const { shape } = definition;
  if (shape === undefined) return [];
  if (head === undefined) return Object.keys(shape);
  const next = Object.hasOwn(shape, head) ? shape[String(head)] : undefined;
  return next === undefined ? [] : knownKeysAt(next, entry(value, head), tail);
}

/** Whether a member of a union is the one for this value of the discriminator. */
function chooses(option: z.core.$ZodType, discriminator: string, chosen: unknown): boolean {
  const definition = definitionOf(option);
  const inner = definition.in ?? definition.innerType;
  if (inner !== undefined) return chooses(inner, discriminator, chosen);
  const literal = definition.shape?.[discriminator];
  return literal !== undefined && (definitionOf(literal).values ?? []).includes(chosen);
}

function definitionOf(type: z.core.$ZodType): Definition {
  return type._zod.def;
}

function entry(value: unknown, key: PropertyKey): unknown {
  if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<PropertyKey, unknown>)[key];
}
