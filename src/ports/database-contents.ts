import * as z from 'zod';

/** What the catalogue holds about one object, in words that do not depend on oids; each fact compared by itself. */
const catalogueObjectSchema = z
  .object({
    facts: z.record(z.string(), z.string()).readonly(),
    /** Facts that a logical dump does not hold: that they differ is told, and fails nothing. */
    notDumped: z.record(z.string(), z.string()).readonly().optional(),
    /** Why a restore leaves the whole object out: that it is missing is told, and fails nothing. */
    leftOut: z.string().optional(),
  })
  .readonly();
export type CatalogueObject = z.infer<typeof catalogueObjectSchema>;

const sequenceSchema = z.object({ value: z.string(), called: z.boolean() }).readonly();
/** Where a sequence stands; the value as text, it has up to 64 bits. */
export type SequencePosition = z.infer<typeof sequenceSchema>;

const tableContentsSchema = z
  .object({
    rows: z.number(),
    /** Independent of the order of rows and columns; 64 bits a row, added up. Against accidents, not against forgers. */
    hash: z.string(),
    /** The same over columns that the server computes from others. */
    generated: z.string().optional(),
  })
  .readonly();
export type TableContents = z.infer<typeof tableContentsSchema>;

/** How the hash of a row is made; hashes of different kinds cannot be compared. */
export const rowHashes = ['record', 'text'] as const;
export type RowHash = (typeof rowHashes)[number];

/**
 * Everything that a database holds for its users: schema, sequences, and a hash of the contents of each table, each
 * materialized view, and the large objects. Two of them are compared by `compareContents`.
 */
export const databaseContentsSchema = z
  .object({
    schemaVersion: z.literal(1),
    serverMajor: z.int(),
    rowHash: z.enum(rowHashes),
    /** By kind and name, for instance `trigger audit on public.orders`. */
    catalogue: z.record(z.string(), catalogueObjectSchema).readonly(),
    sequences: z.record(z.string(), sequenceSchema).readonly(),
    /** Ordinary tables and partitions, keyed `schema.table`. */
    tables: z.record(z.string(), tableContentsSchema).readonly(),
    /** Materialized views; a restore refreshes them. */
    views: z.record(z.string(), tableContentsSchema).readonly(),
    /** By oid, or by ranges of oids when there are many. */
    largeObjects: z
      .record(z.string(), z.object({ objects: z.number(), hash: z.string() }).readonly())
      .readonly(),
    /**
     * What was otherwise when the reading was over, because others worked meanwhile: neither definitions nor positions
     * of sequences are bound to a snapshot. `null`: it was gone.
     */
    later: z
      .object({
        catalogue: z.record(z.string(), catalogueObjectSchema.nullable()).readonly(),
        sequences: z.record(z.string(), sequenceSchema.nullable()).readonly(),
      })
      .readonly(),
  })
  .readonly();
export type DatabaseContents = z.infer<typeof databaseContentsSchema>;
