import type { Encryption, EncryptionCheck } from '../ports/encryption.ts';
import type { Host, PipeStage, StageResult } from '../ports/host.ts';
import { lostReader } from '../ports/lost-reader.ts';

/** Where the decrypting stage has the private key until its shell has read it. */
const identityVariable = 'MW_AGE_IDENTITY';

/**
 * Gives age the private key on descriptor 3, which is a pipe that the shell writes by its own `printf`: it is in no
 * argument and in no file (some shells keep here-documents in one), and age itself does not get the variable. The
 * data stay on standard input.
 */
const decrypting = `
exec 4<&0
printf '%s\\n' "$${identityVariable}" | {
  unset ${identityVariable}
  exec age --decrypt --identity /dev/fd/3 3<&0 0<&4 4<&-
}
`;

/**
 * Encryption by the program age (https://age-encryption.org), on the host that holds the bytes.
 * @param recipients public keys, checked by the plan
 * @param identity text of a private key: `AGE-SECRET-KEY-1…`, or an SSH key without passphrase; asked for only when
 *   something is to be decrypted
 */
export function ageEncryption(
  recipients: readonly string[],
  identity: string | undefined | (() => string | undefined),
): Encryption {
  const encrypt: PipeStage = {
    argv: ['age', '--encrypt', ...recipients.flatMap((recipient) => ['--recipient', recipient])],
  };
  const decrypt = (): PipeStage | undefined => {
    const key = typeof identity === 'function' ? identity() : identity;
    return key === undefined
      ? undefined
      : { argv: ['sh', '-c', decrypting, 'sh'], env: { [identityVariable]: key } };
  };
  return {
    encrypt,
    get decrypt() {
      return decrypt();
    },
    check: (host, way = 'both') => tryOut(host, encrypt, way === 'both' ? decrypt() : undefined),
  };
}

const sample = 'maintenance-window\n';

async function tryOut(
  host: Host,
  encrypt: PipeStage,
  decrypt: PipeStage | undefined,
): Promise<EncryptionCheck> {
  const printed: Uint8Array[] = [];
  const stages: [PipeStage, ...PipeStage[]] =
    decrypt === undefined ? [encrypt] : [encrypt, decrypt];
  const [encrypted, decrypted] = await host.pipe(stages, {
    source: some(new TextEncoder().encode(sample)),
    sink: (chunk) => {
      printed.push(chunk.slice());
      return Promise.resolve();
    },
    timeoutSeconds: 30,
  });
  if (encrypted?.exitCode === 127) {
    return {
      kind: 'unready',
      reason: `the program age is not installed on ${host.name}`,
      next: `Install it there (Debian and Ubuntu: \`apt-get install age\`), or take copies and recipients out of the plan.`,
    };
  }
  if (encrypted?.exitCode !== 0 && !lostReader(encrypted, decrypted)) {
    return {
      kind: 'unready',
      reason: `age on ${host.name} does not take the recipients: ${saidBy(encrypted)}`,
      next: 'Correct backup-db.recipients; an old age does not know new kinds of keys.',
    };
  }
  const text = new TextDecoder().decode(join(printed));
  if (decrypt === undefined) {
    return text.startsWith('age-encryption.org/')
      ? {
          kind: 'ready',
          detail: 'age encrypts for the recipients; their private keys were not tried',
        }
      : foreign(host);
  }
  if (decrypted?.exitCode !== 0) {
    return {
      kind: 'unready',
      reason: `the private key of backup-db.identity does not open what is encrypted for the recipients: ${saidBy(decrypted)}`,
      next: 'Give the private key of one of backup-db.recipients (an SSH key without passphrase), or leave identity out.',
    };
  }
  return text === sample
    ? { kind: 'ready', detail: 'age encrypts for the recipients, and the private key opens it' }
    : foreign(host);
}

function foreign(host: Host): EncryptionCheck {
  return {
    kind: 'unready',
    reason: `the program age on ${host.name} does not do what age does`,
    next: 'See which program `age` is on that host.',
  };
}

/** What a stage said, without what age adds for its users. */
function saidBy(result: StageResult | undefined): string {
  const line = result?.stderr
    .split('\n')
    .map((text) => text.trim())
    .find((text) => text !== '' && !text.startsWith('age: report unexpected'));
  const said = line?.replace(/^age: (?:error: )?/, '').slice(0, 300);
  return said ?? `exit code ${String(result?.exitCode ?? null)}`;
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

async function* some(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
