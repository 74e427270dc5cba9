import { describe, expect, test } from '@jest/globals';
import { flagsOf, readFlags } from '../../src/cli/flags.ts';

function read(...args: string[]) {
  return readFlags('rollback', args);
}

describe('the flags of a command', () => {
  test('are the inputs of its action, and the plan', () => {
    const flags = flagsOf('rollback');
    expect(flags.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['plan', 'force', 'accept-data-loss', 'name', 'database-url']),
    );
    expect(flags.find(({ name }) => name === 'force')?.takesValue).toBe(false);
    expect(flags.find(({ name }) => name === 'on-failure')?.takesValue).toBe(true);
    expect(flags.filter(({ description }) => description === '')).toEqual([]);
    expect(new Set(flags.map(({ name }) => name)).size).toBe(flags.length);
  });

  test('may be written with a space or an equals sign', () => {
    expect(read('--plan', 'a.yml', '--on-failure=hold', '--force')).toEqual({
      kind: 'read',
      inputs: { plan: 'a.yml', 'on-failure': 'hold', force: 'true' },
    });
    expect(read('--plan=a=b.yml')).toEqual({ kind: 'read', inputs: { plan: 'a=b.yml' } });
  });

  test('that are not given are not there', () => {
    expect(read()).toEqual({ kind: 'read', inputs: {} });
  });

  test.each(['--help', '-h'])('%s asks for help, whatever else there is', (flag) => {
    expect(read(flag)).toEqual({ kind: 'help' });
    expect(read('--nonsense', flag)).toEqual({ kind: 'help' });
  });

  test.each([
    ['--forse', 'unknown flag --forse; did you mean --force?'],
    ['--accept-dataloss=1', 'unknown flag --accept-dataloss; did you mean --accept-data-loss?'],
    ['--zzzzzzzz', 'unknown flag --zzzzzzzz; see --help'],
  ])('%s is unknown, and the nearest is named', (flag, message) => {
    expect(read('--plan', 'a.yml', flag)).toEqual({ kind: 'wrong', message });
  });

  test.each([
    ['a value that is missing at the end', ['--plan'], /--plan/],
    ['a value that is missing before another flag', ['--plan', '--force'], /--plan/],
    ['a value where none belongs', ['--force=yes'], /--force/],
    ['a word that belongs to no flag', ['a.yml'], /a\.yml/],
    ['a name that every object has', ['--constructor'], /--constructor/],
    ['a short flag', ['-f'], /-f/],
  ])('%s is wrong', (_, args, message) => {
    expect(read(...args)).toEqual({
      kind: 'wrong',
      message: expect.stringMatching(message) as unknown,
    });
  });
});
