import { describe, expect, test } from '@jest/globals';
import { channelArguments, masterArguments } from '../../src/hosts/ssh/ssh-arguments.ts';

describe('arguments of ssh', () => {
  const settings = {
    address: { user: 'deploy', host: 'web1', port: 2222 },
    controlPath: '/tmp/x/c1',
    agentSocket: undefined,
    knownHostsFile: undefined,
    connectTimeoutSeconds: 7,
  };
  const options = (argv: readonly string[]): string[] =>
    argv.filter((_arg, index) => argv[index - 1] === '-o');

  test('are strict, ask nobody and forward nothing', () => {
    expect(options(masterArguments(settings))).toEqual(
      expect.arrayContaining([
        ...['BatchMode=yes', 'StrictHostKeyChecking=yes', 'ForwardAgent=no', 'ForwardX11=no'],
        ...['ClearAllForwardings=yes', 'RequestTTY=no', 'ControlMaster=yes', 'ConnectTimeout=7'],
        ...['ControlPath=/tmp/x/c1', 'ServerAliveInterval=5', 'ServerAliveCountMax=2'],
      ]),
    );
  });

  test('the host comes after the end of options', () => {
    const argv = masterArguments({ ...settings, address: { host: 'web1' } });
    expect(argv.slice(argv.indexOf('--') + 1)[0]).toBe('web1');
    expect(argv.filter((arg) => arg === '-l' || arg === '-p')).toEqual([]);
  });

  test('with a key of ours only that key counts, and no configuration of the account', () => {
    const argv = masterArguments({
      ...settings,
      agentSocket: '/tmp/x/a',
      knownHostsFile: '/tmp/x/k',
    });
    expect(argv.join(' ')).toContain('-F none');
    expect(options(argv)).toEqual(
      expect.arrayContaining([
        ...['IdentityAgent=/tmp/x/a', 'IdentityFile=none', 'PreferredAuthentications=publickey'],
        ...['UserKnownHostsFile=/tmp/x/k', 'GlobalKnownHostsFile=/dev/null'],
      ]),
    );
    const own = masterArguments(settings);
    expect(own).not.toContain('-F');
    expect(own.join(' ')).not.toMatch(/Identity|KnownHostsFile/);
  });

  test('a channel never makes a connection of its own', () => {
    const argv = channelArguments('/tmp/x/c1', 'exec true');
    expect(options(argv)).toEqual(
      expect.arrayContaining([
        'ControlMaster=no',
        expect.stringMatching(/^ProxyCommand=sh -c "echo /),
      ]),
    );
    expect(argv.slice(-3)).toEqual(['--', 'master', 'exec true']);
  });
});
