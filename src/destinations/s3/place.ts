import type { Target } from '../../http/no-answer-reason.ts';

/** Where the bucket is. */
export interface S3Place {
  /** `https://s3.example.org`; default: Amazon's in the region. */
  readonly endpoint?: string | undefined;
  readonly region: string;
  readonly bucket: string;
  /** Path in the bucket, without a slash at its ends. */
  readonly prefix?: string | undefined;
  /** Whether the bucket is named in the path. Default: when there is an endpoint. */
  readonly pathStyle?: boolean | undefined;
  readonly storageClass?: string | undefined;
  readonly serverSideEncryption?: 'AES256' | 'aws:kms' | undefined;
}

export interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface S3Options {
  /** Aborted when the run is being cancelled; what is under way is then ended and taken back. */
  readonly signal?: AbortSignal | undefined;
  /** Seconds without a byte in either direction after which a request is given up. Default: 60. */
  readonly stallSeconds?: number | undefined;
  /** Certificates (PEM) of authorities to trust besides the usual ones. */
  readonly extraCa?: string | undefined;
  /** Told in one sentence what could not be tidied up; nothing fails by it. */
  readonly note?: ((message: string) => void) | undefined;
  /** Bytes of the first parts of a long object, at least 5 MiB. Default: 32 MiB. */
  readonly firstPartBytes?: number | undefined;
  /** Objects on a page of a list, at most 1000, which is the default. */
  readonly pageSize?: number | undefined;
  /** How often a request is tried. Default: 3. */
  readonly attempts?: number | undefined;
}

/** A bucket, for people. */
export function labelOf({ bucket, prefix, endpoint, region }: S3Place): string {
  const path = prefix === undefined ? bucket : `${bucket}/${prefix}`;
  return `s3://${path} ${endpoint === undefined ? `in ${region}` : `at ${endpoint}`}`;
}

/** The server of a bucket. */
export function serverOf({ endpoint, region }: S3Place): Target {
  if (endpoint === undefined) return { hostname: `s3.${region}.amazonaws.com`, port: 443 };
  const { hostname, port, protocol } = new URL(endpoint);
  return { hostname, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) };
}
