import { fail } from '../../ports/failure.ts';
import { lineOf } from './tokenizer.ts';

/** Largest page of a user, in bytes: nginx keeps it in memory, as part of its configuration. */
export const largestPage = 128 * 1024;

/**
 * Makes a user's HTML page fit for an nginx string, in which `$` has no escape: in text and in attribute
 * values it becomes an entity, in style sheets a CSS escape. Where neither is the same (scripts, attribute
 * selectors, names), the page is refused.
 * @param name how the page is called in the failure
 * @throws FailureError `page-dollar`, `page-encoding`, `page-empty`, `page-too-large`
 */
export function prepareOwnPage(bytes: Uint8Array, name: string): string {
  if (bytes.length > largestPage) {
    return refuse(
      'page-too-large',
      `The maintenance page ${name} has ${bytes.length} bytes; at most ${largestPage} are accepted.`,
      'Make the page smaller (smaller or fewer inline images), then run the step again.',
    );
  }
  const page = decode(bytes, name);
  if (page.trim() === '') {
    return refuse(
      'page-empty',
      `The maintenance page ${name} is empty.`,
      'Write the page, or leave the setting out for the built-in one, then run the step again.',
    );
  }
  return pieces(page)
    .map(({ kind, text, start }) => {
      if (!text.includes('$')) return text;
      const at = lineOf(page, start + text.indexOf('$'));
      switch (kind) {
        case 'text':
          return text.replaceAll('$', '&#36;');
        case 'style':
          if (text.includes('$=')) {
            return refuseDollar(name, at, 'in an attribute selector of a style sheet');
          }
          return text.replaceAll('$', String.raw`\24 `);
        case 'tag':
          return tagWithEntities(text) ?? refuseDollar(name, at, 'in the name of an attribute');
        case 'script':
          return refuseDollar(name, at, 'in a script or other raw text');
      }
    })
    .join('');
}

function decode(bytes: Uint8Array, name: string): string {
  try {
    const page = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (!page.includes('\0')) return page;
  } catch {
    // Told below, together with the other case.
  }
  return refuse(
    'page-encoding',
    `The maintenance page ${name} is not UTF-8 text.`,
    'Save the page as UTF-8, then run the step again.',
  );
}

interface Piece {
  readonly kind: 'text' | 'tag' | 'style' | 'script';
  readonly text: string;
  readonly start: number;
}

/** Elements whose content is raw text (HTML standard, section 13.1.2), in which an entity means nothing. */
const rawElements = new Set([
  'script',
  'style',
  'xmp',
  'iframe',
  'noembed',
  'noframes',
  'plaintext',
]);

// A tag ends at the first `>` outside of its quotes.
const markup =
  /<!--[\s\S]*?(?:-->|$)|<!\[CDATA\[[\s\S]*?(?:\]\]>|$)|<\/?[A-Za-z](?:"[^"]*"|'[^']*'|[^"'>])*>/g;

function pieces(page: string): readonly Piece[] {
  const found: Piece[] = [];
  let from = 0;
  markup.lastIndex = 0;
  for (;;) {
    markup.lastIndex = from;
    const match = markup.exec(page);
    if (match === null) break;
    const text = match[0];
    found.push({ kind: 'text', text: page.slice(from, match.index), start: from });
    from = match.index + text.length;
    if (text.startsWith('<![')) {
      found.push({ kind: 'script', text, start: match.index });
      continue;
    }
    // In a comment nothing shows, so that an entity does no harm.
    found.push({
      kind: text.startsWith('<!--') ? 'text' : 'tag',
      text,
      start: match.index,
    });
    const element = /^<([A-Za-z][^\s/>]*)/.exec(text)?.[1]?.toLowerCase();
    if (element !== undefined && rawElements.has(element)) {
      const end = page.slice(from).search(new RegExp(`</${element}[\\s/>]`, 'i'));
      const until = end === -1 ? page.length : from + end;
      const kind = element === 'style' ? 'style' : 'script';
      found.push({ kind, text: page.slice(from, until), start: from });
      from = until;
    }
  }
  found.push({ kind: 'text', text: page.slice(from), start: from });
  return found;
}

/** Entities stand in attribute values only; `undefined` when a `$` stands elsewhere in the tag. */
function tagWithEntities(tag: string): string | undefined {
  const rewritten = tag.replaceAll(/=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+)/g, (value) =>
    value.replaceAll('$', '&#36;'),
  );
  return rewritten.includes('$') ? undefined : rewritten;
}

function refuseDollar(name: string, line: number, where: string): never {
  return refuse(
    'page-dollar',
    `The maintenance page ${name} has a "$" ${where} (line ${line}), which nginx would take for a variable.`,
    String.raw`Write it in another way there (in a script: "\u0024"; in a selector: another selector), then run the step again.`,
  );
}

function refuse(code: string, message: string, next: string): never {
  return fail({ code, message, state: 'Nothing was touched.', next });
}
