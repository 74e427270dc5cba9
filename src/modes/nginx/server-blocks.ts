import { parseConfig, type Directive } from './config-tree.ts';

/** A `server { … }` block of the HTTP part of a configuration. */
export interface ServerBlock {
  /** Its `server_name`s in small letters, as written otherwise; empty when it has none. */
  readonly names: readonly string[];
  readonly listens: readonly string[];
  readonly line: number;
  /** Byte offset right after its opening brace. */
  readonly bodyStart: number;
  readonly directives: readonly Directive[];
}

/** The block that a `server` directive with a body is. */
export function serverBlockOf(directive: Directive): ServerBlock | undefined {
  if (directive.name !== 'server' || directive.body === undefined) return undefined;
  const { start, directives } = directive.body;
  const named = directives.filter(({ name }) => name === 'server_name');
  return {
    names: named
      .flatMap(({ args }) => args)
      .filter((name) => name !== '')
      .map((name) => name.toLowerCase()),
    listens: directives
      .filter(({ name }) => name === 'listen')
      .map(({ args }) => args[0] ?? '')
      .filter((address) => address !== ''),
    line: directive.line,
    bodyStart: start,
    directives,
  };
}

/**
 * The `server` blocks at HTTP level: those at the top of a site file (which nginx includes into `http`), and
 * those directly in `http { … }` of a whole configuration. Not those of `stream` and `mail`, and not the
 * `server` lines of an `upstream`.
 * @throws FailureError `nginx-unreadable`
 */
export function findServerBlocks(bytes: Uint8Array, path: string): readonly ServerBlock[] {
  return parseConfig(bytes, path)
    .flatMap((directive) =>
      directive.name === 'http' ? (directive.body?.directives ?? []) : [directive],
    )
    .map(serverBlockOf)
    .filter((block) => block !== undefined);
}

/** A short name of a block for people: `shop.example.org (listen 443), line 12`. */
export function describeBlock(block: ServerBlock): string {
  const name = block.names[0] ?? 'unnamed server';
  const listen = block.listens.length > 0 ? ` (listen ${block.listens.join(', ')})` : '';
  return `${name}${listen}, line ${block.line}`;
}

/** The blocks with one of the wanted names; all blocks when no name is wanted. */
export function chooseBlocks(
  blocks: readonly ServerBlock[],
  wanted: readonly string[],
): readonly ServerBlock[] {
  if (wanted.length === 0) return blocks;
  const set = new Set(wanted.map((name) => name.toLowerCase()));
  return blocks.filter(({ names }) => names.some((name) => set.has(name)));
}
