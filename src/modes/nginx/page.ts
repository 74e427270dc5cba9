/** What the built-in page and the JSON answer say. */
export interface PageText {
  readonly title: string;
  readonly message: string;
  readonly expectedEnd: {
    /** ISO 8601 with offset, for machines. */
    readonly iso: string;
    /** For people, with the time zone: `Sunday 29 November, 03:30 (Europe/Berlin)`. */
    readonly text: string;
  };
}

/** Text as HTML text or attribute value. `$` becomes an entity as well, for nginx has no escape for it. */
export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
    $: '&#36;',
  };
  return text.replaceAll(/[&<>"'$]/g, (char) => entities[char] ?? char);
}

/**
 * The built-in maintenance page: one file, no script, nothing loaded from anywhere, light and dark.
 * The colours have a contrast of at least 7:1 (WCAG 2.2, 1.4.6).
 */
export function builtInPage(text: PageText): string {
  const title = escapeHtml(text.title);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title}</title>
<style>
:root { color-scheme: light dark; --ink: #1c2430; --paper: #f6f7f9; --line: #2d5d8f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ecf1; --paper: #14181d; --line: #8fbce8; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem;
  background: var(--paper); color: var(--ink); font: 1.125rem/1.6 system-ui, sans-serif; }
main { max-width: 36rem; border-left: 0.25rem solid var(--line); padding-left: 1.5rem; }
h1 { margin: 0 0 1rem; font-size: 1.75rem; line-height: 1.25; }
p { margin: 0 0 1rem; overflow-wrap: anywhere; }
p:last-child { margin-bottom: 0; }
</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p>${escapeHtml(text.message)}</p>
<p>We expect to be back by <time datetime="${escapeHtml(text.expectedEnd.iso)}">${escapeHtml(text.expectedEnd.text)}</time>.</p>
</main>
</body>
</html>
`;
}

/** The answer to clients that do not ask for HTML: one line of JSON, without a literal `$`. */
export function maintenanceJson(
  text: PageText,
  windowId: string,
  retryAfterSeconds: number,
): string {
  const answer = {
    error: 'maintenance',
    message: text.message,
    window: windowId,
    expected_end: text.expectedEnd.iso,
    retry_after: retryAfterSeconds,
  };
  return `${JSON.stringify(answer).replaceAll('$', String.raw`\u0024`)}\n`;
}
