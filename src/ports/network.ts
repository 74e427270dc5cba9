import type { Address } from './fleet.ts';

/** Types of DNS records that can be asked for. */
export type RecordType = 'A' | 'AAAA' | 'CNAME' | 'MX' | 'TXT';

/** Why there was no answer, in words. */
export interface NoAnswer {
  readonly kind: 'no-answer';
  readonly reason: string;
}

export interface RecordsQuestion {
  readonly name: string;
  readonly type: RecordType;
  /** Name server to ask; by default those of this machine. */
  readonly resolver?: Address;
  readonly timeoutSeconds: number;
}

/** Records as text, in no order: `192.0.2.1`, `10 mail.example.org`, `v=spf1 -all`. Empty: there are none. */
export type RecordsAnswer =
  { readonly kind: 'records'; readonly values: readonly string[] } | NoAnswer;

/** Addresses that programs of this machine would connect to, in its own order. */
export type AddressesAnswer =
  { readonly kind: 'addresses'; readonly addresses: readonly string[] } | NoAnswer;

export type ConnectAnswer =
  | {
      readonly kind: 'connected';
      readonly seconds: number;
      /** The first line that came, cut at 1 KiB; `undefined` when none was asked for or none came in time. */
      readonly banner: string | undefined;
    }
  | NoAnswer;

export interface CertificateQuestion {
  readonly to: Address;
  /** Name that is asked for (SNI), and that the certificate is compared with. */
  readonly servername: string;
  /** Authorities to trust instead of the usual ones (PEM). */
  readonly ca?: string;
  readonly timeoutSeconds: number;
}

/** A server's certificate, whether or not it may be trusted. */
export interface Certificate {
  readonly kind: 'certificate';
  /** Names that it is for: `DNS:shop.example.org, IP Address:192.0.2.1`. */
  readonly names: string;
  readonly issuer: string;
  readonly subject: string;
  /** ISO 8601. */
  readonly validFrom: string;
  readonly validTo: string;
  readonly matchesName: boolean;
  /** Certificates that lead from it to a trusted authority, as far as they are known, itself included. */
  readonly chainLength: number;
  /** Issuer of the last of them. */
  readonly chainIssuer: string;
  /** OpenSSL's verdict on the chain, such as `DEPTH_ZERO_SELF_SIGNED_CERT`; `undefined` when it is good. */
  readonly chainProblem: string | undefined;
  /** Such as `TLSv1.3`. */
  readonly protocol: string;
}
export type CertificateAnswer = Certificate | NoAnswer;

/** What lies below HTTP, as the machine that the run is on sees it. */
export interface Network {
  addresses(name: string, options: { readonly timeoutSeconds: number }): Promise<AddressesAnswer>;
  records(question: RecordsQuestion): Promise<RecordsAnswer>;
  connect(
    to: Address,
    options: { readonly timeoutSeconds: number; readonly readBanner: boolean },
  ): Promise<ConnectAnswer>;
  certificate(question: CertificateQuestion): Promise<CertificateAnswer>;
}
