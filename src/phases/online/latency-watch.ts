import { failureOf } from '../../ports/failure.ts';
import type { HttpReply, HttpRequest } from '../../ports/http.ts';
import type { PhaseContext } from '../phase.ts';
import { requestOf } from '../smoke-checks/http.ts';
import { judgeLatency, latencyLimit, median, windowSize } from './latency.ts';

/** Watches how fast the application answers, as the public sees it, while work of ours goes on. */
export interface LatencyWatch {
  /** How the public is harmed now; `undefined` when it is not, or when nothing can be watched. */
  harm(): string | undefined;
  /** Ends the watch. */
  end(): Promise<LatencyFigures | undefined>;
}

/** Seconds; of the place where the answers became slowest. */
export interface LatencyFigures {
  readonly medianBefore: number;
  readonly medianDuring: number;
  readonly worstDuring: number;
}

const mostPlaces = 5;
const baselineAnswers = 7;
/** Seconds that taking the baseline of one place may take before fewer answers are enough. */
const baselineSeconds = 3;
const leastBaselineAnswers = 3;
/** Seconds between two questions. */
const pauseSeconds = 0.2;
/** Seconds for one answer. */
const answerSeconds = 10;
/** Answers that are kept for the figures. */
const mostAnswers = 10_000;

interface Place {
  readonly request: HttpRequest;
  readonly before: number;
  readonly answers: number[];
}

/** What is asked: reading `http` smoke tests, else the public URL; each a question that changes nothing. */
function requestsOf(context: PhaseContext): readonly HttpRequest[] {
  const { plan } = context;
  if (plan.publicUrl === undefined) return [];
  const checks = plan.smokeTest.checks
    .filter((check) => check.kind === 'http')
    .filter(({ method, body }) => ['GET', 'HEAD'].includes(method) && body === undefined)
    .slice(0, mostPlaces)
    .map((check) => requestOf(context, check, answerSeconds));
  return checks.length > 0
    ? checks
    : [{ url: plan.publicUrl, method: 'GET', timeoutSeconds: answerSeconds }];
}

/** Takes the baseline, then watches until it is ended. */
export async function watchLatency(context: PhaseContext): Promise<LatencyWatch> {
  const { clock, http, plan, progress } = context;
  const fromPlan = plan.runDbMaintenance.onlineMaxLatency;
  const places: Place[] = [];
  for (const request of requestsOf(context)) {
    const before = await baseline(context, request);
    if (before === undefined) {
      progress.warning(`${request.url} does not answer well now, so its latency is not watched.`);
    } else places.push({ request, before, answers: [] });
  }
  if (places.length === 0) {
    progress.info('How fast the application answers is not watched: there is nothing to ask.');
    return { harm: () => undefined, end: async () => undefined };
  }

  let isOver = false;
  let pending: { readonly place: Place; readonly since: number } | undefined;
  const goOn = async (): Promise<void> => {
    try {
      for (let at = 0; !isOver; at += 1) {
        const place = places[at % places.length];
        if (place === undefined) return;
        pending = { place, since: clock.monotonicSeconds() };
        const reply = await http.request(place.request);
        pending = undefined;
        place.answers.push(secondsOf(reply));
        if (place.answers.length > mostAnswers) place.answers.shift();
        await clock.wait(pauseSeconds / places.length);
      }
    } catch (error) {
      // A cancelled run ends its work by itself; the port throws nothing else.
      if (failureOf(error).code !== 'cancelled') throw error;
    }
  };
  const watching = goOn();
  watching.catch(() => undefined);

  return {
    harm: () => {
      for (const place of places) {
        const waited = pending?.place === place ? clock.monotonicSeconds() - pending.since : 0;
        const recent = place.answers.slice(-windowSize);
        const harm = judgeLatency({ before: place.before, recent }, waited, fromPlan);
        if (harm !== undefined) return harm;
      }
      return undefined;
    },
    end: async () => {
      isOver = true;
      await watching;
      const seen = places.filter(({ answers }) => answers.length > 0);
      const slowest = seen.sort((a, b) => slowness(b) - slowness(a))[0];
      if (slowest === undefined) return undefined;
      const finite = slowest.answers.map((seconds) => Math.min(seconds, answerSeconds));
      return {
        medianBefore: slowest.before,
        medianDuring: median(finite),
        worstDuring: Math.max(...finite),
      };
    },
  };

  function slowness({ before, answers }: Place): number {
    return median(answers) / latencyLimit(before, fromPlan);
  }
}

function secondsOf(reply: HttpReply): number {
  return reply.kind === 'no-answer' || reply.status >= 500 ? Infinity : reply.seconds;
}

/** The median answer before the work; `undefined` when the place does not answer well. */
async function baseline(
  { http, clock }: PhaseContext,
  request: HttpRequest,
): Promise<number | undefined> {
  const begun = clock.monotonicSeconds();
  const answers: number[] = [];
  while (answers.length < baselineAnswers) {
    const reply = await http.request({ ...request, timeoutSeconds: baselineSeconds });
    // An application that hangs is not waited for again and again before the work.
    if (reply.kind === 'no-answer') return undefined;
    answers.push(secondsOf(reply));
    const isLong = clock.monotonicSeconds() - begun > baselineSeconds;
    if (isLong && answers.length >= leastBaselineAnswers) break;
  }
  const before = median(answers);
  return before === Infinity ? undefined : before;
}
