import type { Command, Host } from '../../ports/host.ts';
import { fail } from '../../ports/failure.ts';
import { psqlScript } from './psql-script.ts';
import { statementError } from './statement-failure.ts';

const programArguments = [
  '-X',
  '-q',
  '-w',
  '-v',
  'ON_ERROR_STOP=1',
  '-A',
  '-t',
  '-f',
  '-',
] as const;

/**
 * `$1` is the file, all after it psql and its arguments. A shell pipe has one exit code only, so both tell theirs.
 * Records are counted in what can be read back: one ends at a line break outside of quotes, where quotes are even.
 * Nothing of the user's stands in this text.
 */
const pipe = `umask 077
file=$1
shift
{ { "$@"; echo "psql $?" >&3; } | { gzip -n -c > "$file"; echo "gzip $?" >&3; }; } 3>&1 &&
gzip -t "$file" && sync "$file" &&
gzip -d -c "$file" | LC_ALL=C awk '{ quotes += gsub(/"/, "") } quotes % 2 == 0 { records++ } END { print "records " records + 0 }'`;

/**
 * Streams the result of a COPY … TO STDOUT through gzip into a file of the host, and syncs it.
 * @returns rows in the file, its header not counted
 * @throws StatementError, FailureError `database-archive-file`
 */
export async function copyOut(options: {
  readonly host: Host;
  readonly client: (args: readonly string[]) => Promise<Pick<Command, 'argv' | 'env'>>;
  /** As `pg_export_snapshot` gave it: the rows are those of that transaction. */
  readonly snapshot: string;
  /** One COPY whose names and constants are all quoted. */
  readonly copy: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly file: string;
  /** 0: no limit. */
  readonly timeoutSeconds: number;
}): Promise<number> {
  const { host, client, snapshot, copy, settings, file, timeoutSeconds } = options;
  // As psql's own input: nothing may be asked in the transaction before it takes over the snapshot. Quoted names and
  // constants are not interpreted by psql either.
  if (!/^[0-9A-F-]+$/i.test(snapshot)) throw new Error('that is no name of a snapshot');
  const begin = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSET TRANSACTION SNAPSHOT '${snapshot}';\n`;
  const opening = psqlScript({ sql: '', settings, inOneTransaction: false, keepResults: false });
  const { argv, env } = await client(programArguments);
  const result = await host.run({
    argv: ['sh', '-c', pipe, 'sh', file, ...argv],
    ...(env === undefined ? {} : { env }),
    stdin: `${opening.text}\\o\n${begin}${copy};\n`,
    ...(timeoutSeconds === 0 ? {} : { timeoutSeconds: timeoutSeconds + 10 }),
  });
  const ended = new Map(
    result.stdout.split('\n').flatMap((line): [string, number][] => {
      const [name = '', code = ''] = line.split(' ');
      return code === '' ? [] : [[name, Number(code)]];
    }),
  );
  if (ended.get('psql') !== 0) {
    throw statementError(`Writing rows to ${file}`, {
      ...result,
      exitCode: ended.get('psql') ?? result.exitCode,
    });
  }
  const records = ended.get('records');
  if (ended.get('gzip') !== 0 || result.exitCode !== 0 || records === undefined || records < 1) {
    fail({
      code: 'database-archive-file',
      message: `${file} could not be written whole: ${result.stderr.replace(/\s+/g, ' ').trim() || `exit code ${String(result.exitCode)}`}.`,
      state: 'No row was removed for it.',
      next: 'Check that gzip is installed on the host, and that its disk has room; then run the step again.',
    });
  }
  return records - 1;
}
