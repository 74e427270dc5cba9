import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { parseConfig, type Directive } from '../../src/modes/nginx/config-tree.ts';
import { runs } from '../fixtures/property-runs.ts';

let folder: TemporaryFolder;
beforeAll(async () => {
  folder = await makeTemporaryFolder('reader');
});
afterAll(() => folder.remove());

/** What `nginx -t` has against a text in a `server` block; `undefined` when nothing. */
function complaintOf(text: string, modules: readonly string[]): string | undefined {
  const main = join(folder.path, 'nginx.conf');
  const log = join(folder.path, 'error.log');
  writeFileSync(
    main,
    `${modules.map((module) => `load_module /usr/lib/nginx/modules/${module}.so;`).join('\n')}
pid ${join(folder.path, 'nginx.pid')}; error_log ${log}; events {}
http { access_log off; server { listen 127.0.0.1:1; include ${join(folder.path, 'site')}; } }`,
  );
  writeFileSync(join(folder.path, 'site'), text);
  const { status, stderr } = spawnSync(
    '/usr/sbin/nginx',
    ['-t', '-p', `${folder.path}/`, '-c', main, '-e', log],
    { encoding: 'utf8' },
  );
  return status === 0 ? undefined : (/\[emerg\] .*/.exec(stderr)?.[0] ?? stderr);
}

function read(text: string): readonly Directive[] | undefined {
  try {
    return parseConfig(Buffer.from(text), 'site');
  } catch {
    return undefined;
  }
}

const mixed = (...pieces: readonly string[]) =>
  fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 14 }).map((all) => all.join(''));

describe('text in any order is read as nginx itself reads it', () => {
  test('words, quotes, escapes and comments', () => {
    // In `types` every word may be a directive, with any number of others after it.
    const words = mixed(
      ...['a', 'b', 'x y;', ' ', '\n', '\t', '\r\n', ';', ';\n', '#', '"', "'", '\\', '$', '${'],
      ...['{', '}', ')', String.raw`\n`, 'é'],
    );
    let accepted = 0;
    fc.assert(
      fc.property(words, (text) => {
        const whole = `types {\n${text}\n}\n`;
        const complaint = complaintOf(whole, []);
        const ours = read(whole);
        if (complaint === undefined) {
          accepted += 1;
          expect(ours).toMatchObject([{ name: 'types' }]);
        } else if (ours?.length === 1 && ours[0]?.body?.directives.every(({ body }) => !body)) {
          // A list of words that nginx does not like for another reason.
          expect(complaint).not.toMatch(/unexpected|expecting|unknown directive/);
        }
      }),
      { numRuns: runs(100) },
    );
    expect(accepted).toBeGreaterThan(0);
  });

  test('the end of Lua code', () => {
    const lua = mixed(
      ...['a', ' ', '\n', '\r', '"', '"}\n', "'", '\\', '\\\n', '{', '}', '--', '-', '[', ']', '='],
      ...['[[', ']]', '[=[', ']=]', '--[[', '--[==[', ']==]'],
    );
    const modules = ['ndk_http_module', 'ngx_http_lua_module'];
    let accepted = 0;
    fc.assert(
      fc.property(lua, (code) => {
        const text = `rewrite_by_lua_block {${code}}\n`;
        const accepts = complaintOf(text, modules) === undefined;
        if (accepts) accepted += 1;
        const blank = code.trim() === '';
        if (!blank) expect(read(text)?.length === 1).toBe(accepts);
      }),
      { numRuns: runs(60) },
    );
    expect(accepted).toBeGreaterThan(0);
  });
});
