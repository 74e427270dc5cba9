import * as z from 'zod';

/** Everything of a database that a clone or a restore loses; kept in record and manifest, reapplied after a swap. */
export const databasePropertiesSchema = z
  .object({
    name: z.string(),
    oid: z.int(),
    owner: z.string(),
    encoding: z.string(),
    collate: z.string(),
    ctype: z.string(),
    localeProvider: z.string(),
    icuLocale: z.string().nullable(),
    tablespace: z.string(),
    connectionLimit: z.int(),
    allowsConnections: z.boolean(),
    isTemplate: z.boolean(),
    comment: z.string().nullable(),
    /** `null`: the default privileges. Otherwise each grant; grantee `null` is PUBLIC. */
    grants: z
      .array(
        z
          .object({
            grantor: z.string(),
            grantee: z.string().nullable(),
            privilege: z.string(),
            grantable: z.boolean(),
          })
          .readonly(),
      )
      .readonly()
      .nullable(),
    /** `ALTER DATABASE … SET` (role `null`) and `ALTER ROLE … IN DATABASE … SET`. */
    settings: z
      .array(
        z.object({ role: z.string().nullable(), name: z.string(), value: z.string() }).readonly(),
      )
      .readonly(),
    /** `SECURITY LABEL … ON DATABASE`; records of earlier versions do not have them. */
    securityLabels: z
      .array(z.object({ provider: z.string(), label: z.string() }).readonly())
      .readonly()
      .default([]),
  })
  .readonly();

export type DatabaseProperties = z.infer<typeof databasePropertiesSchema>;
