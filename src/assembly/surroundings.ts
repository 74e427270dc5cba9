import type { Progress } from '../ports/progress.ts';
import type { WindowStatus } from '../record/status.ts';

/** What a face (an action, the command line) brings: everything that comes from outside and is no setting. */
export interface Surroundings {
  /** Inputs or flags by name, as text; empty ones are left out. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Folder that relative paths of plan and inputs start from. */
  readonly workspace: string;
  readonly run: WindowStatus['run'];
  readonly progress: Progress;
  /** Aborted when the run is being cancelled. */
  readonly signal: AbortSignal;
  /** Called with every secret before its first use. */
  readonly mask: (secret: string) => void;
  /** Only where GitHub runs us. */
  readonly github:
    { readonly token: string; readonly repository: string; readonly apiUrl: string } | undefined;
}
