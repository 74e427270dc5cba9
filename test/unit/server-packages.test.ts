import { describe, expect, test } from '@jest/globals';
import { changesBetween } from '../../src/phases/server-tasks/packages.ts';
import { lockHolder } from '../../src/servers/apt/apt-failure.ts';
import { parseDpkgStatus } from '../../src/servers/apt/dpkg-status.ts';
import { parsePolicies, securitySources, securityUpdate } from '../../src/servers/apt/policy.ts';
import { downloadBytesOf, parseSimulation } from '../../src/servers/apt/simulation.ts';
import {
  compareKernels,
  kernelOfPackage,
  newestKernel,
} from '../../src/servers/linux/kernel-version.ts';

describe('a simulated run of apt-get', () => {
  const output = `Reading package lists...
The following packages have been kept back:
  shop-held libc6:i386
  linux-image-amd64
The following packages will be upgraded:
  openssl
Inst openssl [3.0.19-1~deb12u2] (3.0.22-1~deb12u2 Debian-Security:12/oldstable-security [amd64])
Inst linux-image-6.1.0-41-amd64 (6.1.158-1 Debian-Security:12/stable-security [amd64]) []
Remv old-thing [1.0]
Purg other-thing [2.0]
Conf openssl (3.0.22-1~deb12u2 Debian-Security:12/oldstable-security [amd64])
`;

  test('tells what it would install, remove and leave', () => {
    expect(parseSimulation(output)).toEqual({
      installs: [
        { name: 'openssl', from: '3.0.19-1~deb12u2', to: '3.0.22-1~deb12u2' },
        { name: 'linux-image-6.1.0-41-amd64', from: null, to: '6.1.158-1' },
      ],
      removals: [
        { name: 'old-thing', from: '1.0' },
        { name: 'other-thing', from: '2.0' },
      ],
      keptBack: ['shop-held', 'libc6:i386', 'linux-image-amd64'],
    });
  });

  test('tells what it would download', () => {
    const uris =
      "'http://deb.example.org/a_1.deb' a_1.deb 1200 SHA256:00\n'file:/x y/b_1.deb' b_1.deb 34 SHA256:00\nReading\n";
    expect(downloadBytesOf(uris)).toBe(1234);
  });
});

describe('security updates', () => {
  const sources = securitySources(`Package files:
 100 /var/lib/dpkg/status
     release a=now
 500 http://deb.debian.org/debian-security bookworm-security/main amd64 Packages
     release v=12,o=Debian,a=oldstable-security,n=bookworm-security,l=Debian-Security,c=main,b=amd64
     origin deb.debian.org
 500 http://archive.ubuntu.com/ubuntu noble-security/universe amd64 Packages
     release v=24.04,o=Ubuntu,a=noble-security,n=noble,l=Ubuntu,c=universe,b=amd64
     origin archive.ubuntu.com
 510 https://esm.ubuntu.com/infra/ubuntu noble-infra-security/main amd64 Packages
     release v=24.04,o=UbuntuESM,a=noble-infra-security,n=noble,l=UbuntuESM,c=main,b=amd64
 500 http://deb.debian.org/debian bookworm/main amd64 Packages
     release v=12.15,o=Debian,a=oldstable,n=bookworm,l=Debian,c=main,b=amd64
     origin deb.debian.org
 500 https://download.docker.com/linux/debian bookworm/stable amd64 Packages
     release o=Docker,a=bookworm,l=Docker CE,c=stable,b=amd64
Pinned packages:
`);

  test('come from archives with that label or suite', () => {
    expect([...sources].map((source) => source.split(' ')[1])).toEqual([
      'bookworm-security/main',
      'noble-security/universe',
      'noble-infra-security/main',
    ]);
  });

  const policyOf = (table: string) =>
    parsePolicies(
      `openssl:\n  Installed: 1.0\n  Candidate: 1.2\n  Version table:\n${table}`,
      sources,
    ).get('openssl');
  const security =
    '        500 http://deb.debian.org/debian-security bookworm-security/main amd64 Packages\n';
  const plain = '        500 http://deb.debian.org/debian bookworm/main amd64 Packages\n';
  const now = ' *** 1.0 100\n        100 /var/lib/dpkg/status\n';

  test.each([
    ['the newest of several', `     1.2 500\n${security}     1.1 500\n${security}${now}`, '1.2'],
    [
      'below a newer one that is none',
      `     1.2 500\n${plain}     1.1 500\n${security}${now}`,
      '1.1',
    ],
    ['of one that is in both archives', `     1.2 500\n${plain}${security}${now}`, '1.2'],
    [
      'none, when the installed one is newer',
      `     1.2 500\n${plain}${now}     0.9 500\n${security}`,
      undefined,
    ],
    ['none, when there is no other', now, undefined],
  ])('are %s', (_what, table, expected) => {
    const policy = policyOf(table);
    expect(policy?.installed).toBe('1.0');
    expect(policy === undefined ? 'no policy' : securityUpdate(policy)).toBe(expected);
  });

  test('are told apart by package', () => {
    const text = `a:\n  Installed: (none)\n  Candidate: 1\n  Version table:\n     1 500\n${plain}b:\n  Installed: 1.0\n  Candidate: 1.1\n  Version table:\n     1.1 500 (phased 20%)\n${security}${now}`;
    const policies = parsePolicies(text, sources);
    expect([...policies.keys()]).toEqual(['a', 'b']);
    expect(policies.get('a')).toMatchObject({
      installed: undefined,
      versions: [{ security: false }],
    });
    expect(policies.get('b')?.versions.map(({ version }) => version)).toEqual(['1.1', '1.0']);
  });
});

test('dpkg tells what is installed and what is half-way', () => {
  const status = parseDpkgStatus(
    'ii \tlibc6:amd64\t2.36\nii \tlibc6:i386\t2.36\nhi \tshop-held\t1.0\nrc \tgone\t1.0\niF \thalf\t2.0\niU \tunpacked\t3\niiR\tagain\t1\nun \tnever\t\n',
    'amd64',
  );
  expect(status.unfinished).toEqual(['half', 'unpacked', 'again']);
  expect(status.installed.map(({ name }) => name)).toEqual([
    'libc6',
    'libc6:i386',
    'shop-held',
    'half',
    'unpacked',
    'again',
  ]);
});

test('two lists of packages differ by what came, went and changed', () => {
  const of = (...entries: string[]) =>
    entries.map((entry) => ({
      name: entry.split(' ')[0] ?? '',
      version: entry.split(' ')[1] ?? '',
    }));
  expect(changesBetween(of('a 1', 'b 1', 'c 1'), of('b 2', 'c 1', 'd 1'))).toEqual([
    { name: 'a', from: '1', to: null },
    { name: 'b', from: '1', to: '2' },
    { name: 'd', from: null, to: '1' },
  ]);
});

describe('kernels', () => {
  test('are compared number by number', () => {
    const sorted = ['6.1.0-9-amd64', '6.1.0-40-amd64', '5.10.0-30-amd64'].toSorted(compareKernels);
    expect(sorted).toEqual(['5.10.0-30-amd64', '6.1.0-9-amd64', '6.1.0-40-amd64']);
  });

  test.each([
    ['6.1.0-9-amd64', ['6.1.0-9-amd64', '6.1.0-10-amd64'], '6.1.0-10-amd64'],
    ['6.1.0-9-cloud-amd64', ['6.1.0-9-cloud-amd64', '6.1.0-10-amd64'], '6.1.0-9-cloud-amd64'],
    // In a container, or with a kernel that no package brought.
    ['6.18.5', ['6.1.0-9-amd64'], undefined],
  ])('the newest besides %s of %j is %s', (running, installed, expected) => {
    expect(newestKernel(running, installed)).toBe(expected);
  });

  test.each([
    ['linux-image-6.1.0-40-amd64', '6.1.0-40-amd64'],
    ['linux-image-unsigned-6.8.0-31-generic', '6.8.0-31-generic'],
    ['linux-headers-6.1.0-40-common', '6.1.0-40-common'],
    ['linux-image-amd64', undefined],
    ['linux-libc-dev', undefined],
  ])('%s belongs to %s', (name, kernel) => {
    expect(kernelOfPackage(name)).toBe(kernel);
  });
});

describe('what apt-get says about its lock', () => {
  const frontend = 'E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend)';

  test.each([
    [
      'somebody is at work',
      'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 17 (apt-get)\n',
      '',
      'process 17 (apt-get)',
    ],
    [
      'it waited in vain',
      `${frontend}, is another process using it?`,
      'Waiting for cache lock: Could not get lock /x. It is held by process 18 (dpkg)...\n',
      'process 18 (dpkg)',
    ],
    ['it knows no more', `${frontend}, is another process using it?`, '', 'another process'],
    [
      'we are not root',
      `E: Could not open lock file /x - open (13: Permission denied)\n${frontend}, are you root?`,
      '',
      undefined,
    ],
    ['something else failed', 'E: Broken packages\n', '', undefined],
  ])('%s', (_what, stderr, stdout, holder) => {
    expect(lockHolder({ stderr, stdout })).toBe(holder);
  });
});
