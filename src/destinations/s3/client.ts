import { Agent } from 'node:https';
import * as tls from 'node:tls';
import { S3Client } from '@aws-sdk/client-s3';
import type { S3Keys, S3Place } from './place.ts';

export interface S3Connection {
  /** Seconds without a byte in either direction after which a request is given up. */
  readonly stallSeconds: number;
  /** Certificates (PEM) of authorities to trust besides the usual ones. */
  readonly extraCa?: string | undefined;
  /** How often a request is tried. */
  readonly attempts: number;
}

/**
 * The official client, told everything, so that no variable and no file of the machine (AWS_…, ~/.aws) changes
 * what it does.
 */
export function s3Client(place: S3Place, keys: S3Keys, connection: S3Connection): S3Client {
  const { stallSeconds, extraCa, attempts } = connection;
  const client = new S3Client({
    region: place.region,
    ...(place.endpoint === undefined ? {} : { endpoint: place.endpoint }),
    forcePathStyle: place.pathStyle ?? place.endpoint !== undefined,
    credentials: {
      accessKeyId: keys.accessKeyId,
      secretAccessKey: keys.secretAccessKey,
      ...(keys.sessionToken === undefined ? {} : { sessionToken: keys.sessionToken }),
    },
    maxAttempts: attempts,
    retryMode: 'standard',
    defaultsMode: 'standard',
    useFipsEndpoint: false,
    useDualstackEndpoint: false,
    useArnRegion: false,
    disableS3ExpressSessionAuth: true,
    disableMultiregionAccessPoints: true,
    followRegionRedirects: false,
    userAgentAppId: 'maintenance-window',
    // Each request is signed with the SHA-256 of its body, which every server checks. The newer checksums would
    // say the same again, and servers that do not know them refuse the request.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: Math.min(10, stallSeconds) * 1000,
      socketTimeout: stallSeconds * 1000,
      ...(extraCa === undefined
        ? {}
        : { httpsAgent: new Agent({ keepAlive: true, ca: trusted(extraCa) }) }),
    },
  });
  // Last before the network: what Node throws keeps its code, also where its errors are of another realm than
  // the client's, which would wrap them.
  client.middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        throw error instanceof Error ? error : ofThisRealm(error);
      }
    },
    { step: 'deserialize', priority: 'low', name: 'errorsOfThisRealm' },
  );
  return client;
}

function ofThisRealm(error: unknown): Error {
  const { name, message, code } = Object(error) as Record<'name' | 'message' | 'code', unknown>;
  return Object.assign(new Error(String(message)), { name, code });
}

function trusted(extraCa: string): string[] {
  // Since Node 22.15; it knows NODE_EXTRA_CA_CERTS and the system's store, where those are asked for.
  const { getCACertificates, rootCertificates } = tls as Partial<typeof tls>;
  return [...(getCACertificates?.('default') ?? rootCertificates ?? []), extraCa];
}
