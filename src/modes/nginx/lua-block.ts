/**
 * Finds the end of the Lua code of a `*_by_lua_block { … }` directive. Braces in Lua strings, comments and
 * long brackets do not count (Lua 5.1 reference manual, section 2.1). Where the code is no Lua, which nginx
 * notices when it runs it, the end is where nginx's own reader takes it to be: a quote without an end on its
 * line is a letter like any other, also when a backslash ends that line.
 * @param text the file, one character a byte
 * @param from offset right after the opening brace
 * @returns offset of the closing brace; `undefined` when there is none
 */
export function endOfLuaBlock(text: string, from: number): number | undefined {
  let depth = 1;
  let at = from;
  // Up to where a quote is known to have no end, so that a line of quotes is not searched for each of them.
  const endless = { '"': from, "'": from };
  while (at < text.length) {
    const char = text[at];
    if (char === '-' && text[at + 1] === '-') {
      at = endOfComment(text, at);
    } else if (char === '"' || char === "'") {
      const end = at < endless[char] ? undefined : endOfString(text, at, char);
      if (end === undefined && at >= endless[char]) endless[char] = endOfLine(text, at);
      at = end ?? at + 1;
    } else if (char === '[') {
      at = endOfLongBracket(text, at) ?? at + 1;
    } else if (char === '{') {
      depth += 1;
      at += 1;
    } else if (char === '}') {
      depth -= 1;
      if (depth === 0) return at;
      at += 1;
    } else {
      at += 1;
    }
  }
  return undefined;
}

function endOfComment(text: string, at: number): number {
  if (text[at + 2] === '[') {
    const end = endOfLongBracket(text, at + 2);
    if (end !== undefined) return end;
  }
  return endOfLine(text, at);
}

/** Right after the line feed. */
function endOfLine(text: string, at: number): number {
  const lineFeed = text.indexOf('\n', at);
  return lineFeed === -1 ? text.length : lineFeed + 1;
}

/** Right after the string that begins at the quote, or `undefined` when its line has no end of it. */
function endOfString(text: string, at: number, quote: string): number | undefined {
  for (let next = at + 1; next < text.length && text[next] !== '\n'; next += 1) {
    if (text[next] === quote) return next + 1;
    if (text[next] === '\\' && text[next + 1] !== '\n') next += 1;
  }
  return undefined;
}

/** `[[ … ]]`, `[==[ … ]==]`; `undefined` when the bracket opens none. An unended one takes the rest of the file. */
function endOfLongBracket(text: string, at: number): number | undefined {
  let level = 0;
  while (text[at + 1 + level] === '=') level += 1;
  if (text[at + 1 + level] !== '[') return undefined;
  const closing = `]${'='.repeat(level)}]`;
  const end = text.indexOf(closing, at + 2 + level);
  return end === -1 ? text.length : end + closing.length;
}
