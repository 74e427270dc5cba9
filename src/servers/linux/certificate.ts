import { fail } from '../../ports/failure.ts';
import type { CommandResult, Host } from '../../ports/host.ts';
import type { Certificate, CertificatePlace } from '../../ports/server.ts';
import { failCommand, lastWords } from '../command-failure.ts';

/** Reads a certificate from a file, or as it is served, with the host's OpenSSL. */
export async function readCertificate(host: Host, place: CertificatePlace): Promise<Certificate> {
  const pem = 'file' in place ? await fileOf(host, place.file) : await servedAt(host, place);
  const fields = ['-noout', '-enddate', '-fingerprint', '-sha256', '-checkend', '0'] as const;
  const result = await host.run({
    argv: ['openssl', 'x509', ...fields],
    stdin: pem,
    timeoutSeconds: 30,
  });
  const notAfter = new Date(/^notAfter=(.+)$/m.exec(result.stdout)?.[1] ?? '');
  const fingerprint = /Fingerprint=([0-9A-F:]+)$/m.exec(result.stdout)?.[1];
  // The exit code is 1 for one that is over, which is a date as well.
  if (fingerprint === undefined || Number.isNaN(notAfter.getTime())) {
    failCommand(`Reading the certificate ${placeName(place)}`, 'openssl x509', result);
  }
  return { notAfter, fingerprint };
}

/** The place of a certificate in words. */
export function placeName(place: CertificatePlace): string {
  return 'file' in place ? place.file : `of ${place.name} at ${place.address}`;
}

async function fileOf(host: Host, file: string): Promise<Uint8Array> {
  return (
    (await host.readFile(file)) ??
    fail({
      code: 'server-certificate',
      message: `There is no certificate ${file} on ${host.name}.`,
      state: 'Nothing was touched.',
      next: 'Correct `certificates` of the task, or get the first certificate by hand.',
    })
  );
}

/** Whom it trusts does not matter here: the dates do, and smoke tests judge the chain. */
async function servedAt(
  host: Host,
  { address, name }: { readonly address: string; readonly name: string },
): Promise<string> {
  const result = await host.run({
    argv: ['openssl', 's_client', '-connect', address, '-servername', name],
    stdin: '',
    timeoutSeconds: 15,
  });
  const pem = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/.exec(result.stdout);
  return pem?.[0] ?? notServed(host, address, name, result);
}

function notServed(host: Host, address: string, name: string, result: CommandResult): never {
  return fail({
    code: 'server-certificate',
    message: `${address} serves no certificate for ${name}, asked from ${host.name}: ${lastWords({ ...result, stdout: '' })}.`,
    state: 'Nothing was touched by this.',
    next: 'Look at the service there, and at `certificates` of the task.',
  });
}
