import { describe, expect, test } from '@jest/globals';
import { renderTimeline, type TimelineStep } from '../../rehearsal/timeline.ts';
import { summarizeTraffic, type TrafficRequest } from '../../rehearsal/traffic-report.ts';

const midnight = Date.UTC(2026, 10, 21);
const at = (seconds: number) => midnight + seconds * 1000;

function answer(startedAt: number, endedAt: number, status: number): TrafficRequest {
  const maintenance = status === 503 ? { maintenance: 'w1' } : {};
  return {
    client: 1,
    method: 'GET',
    path: '/',
    startedAt: at(startedAt),
    endedAt: at(endedAt),
    outcome: { kind: 'answered', status, ...maintenance },
  };
}

const steps: TimelineStep[] = [
  { at: at(3), phase: 'run-db-maintenance', step: 'migrate', outcome: 'done', detail: 'version 3' },
  { at: at(0.9), phase: 'enable-maintenance', step: 'close', outcome: 'done', detail: 'flag set' },
];

describe('the timeline', () => {
  test('sorts steps and what the public saw by time, in columns', () => {
    const traffic = summarizeTraffic(
      [answer(0, 0.95, 200), answer(1, 1.05, 503), answer(4, 4.25, 503), answer(4.3, 4.4, 200)],
      at(0),
      at(5),
    );
    expect(renderTimeline(traffic, steps)).toBe(
      [
        'time        phase               step                 outcome  what it proved',
        '00:00:00.9  enable-maintenance  close                done     flag set',
        '00:00:01.0  public              sees 503                      X-Maintenance: w1; last answer of the shop 100 ms before',
        '00:00:03.0  run-db-maintenance  migrate              done     version 3',
        '00:00:04.2  public              sees the shop again           503 for 3.20 s, first answer of the shop 150 ms after the last 503',
        '',
        'public saw 503:  3.20 s',
        'requests:        4 (2 × 200, 2 × 503)',
        'lost requests:   0',
        'other answers:   0 (neither a success nor our 503)',
        'orders placed:   0',
      ].join('\n'),
    );
  });

  test('shows when a request was lost, and why', () => {
    const lost = (onReusedConnection: boolean): TrafficRequest => ({
      ...answer(1, 1.5, 200),
      outcome: { kind: 'lost', error: 'socket hang up', onReusedConnection },
    });
    const kept = renderTimeline(summarizeTraffic([lost(true)], at(0), at(2)), []);
    expect(kept).toContain('00:00:01.5  public  loses a request           GET /: socket hang up');
    expect(kept).toContain('lost requests:   1 (1 on a connection kept open');
    const refused = renderTimeline(summarizeTraffic([lost(false)], at(0), at(2)), []);
    expect(refused).toMatch(/^lost requests: {3}1$/m);
  });

  test('says so when the public never saw 503', () => {
    const text = renderTimeline(summarizeTraffic([answer(0, 1, 200)], at(0), at(2)), []);
    expect(text).toContain('public saw 503:  never');
  });

  test('says so when the public still sees 503 at the end', () => {
    const text = renderTimeline(summarizeTraffic([answer(0, 1, 503)], at(0), at(2)), []);
    expect(text).toContain('still sees 503');
    expect(text).toContain('no answer before it');
  });

  test('counts closures that were interrupted', () => {
    const traffic = summarizeTraffic(
      [
        ...[answer(0, 1, 503), answer(1.5, 2, 503), answer(3, 4, 200)],
        ...[answer(5, 6, 503), answer(6.5, 7.5, 503)],
      ],
      at(0),
      at(8),
    );
    expect(renderTimeline(traffic, [])).toContain('public saw 503:  2.50 s in 2 parts');
  });

  test('shows times in the given zone and keeps each step on one line', () => {
    const [step] = steps;
    const text = renderTimeline(
      summarizeTraffic([], at(0), at(1)),
      [{ ...step!, step: 'x'.repeat(60), detail: 'first\n  second' }],
      'Asia/Tokyo',
    );
    const line = text.split('\n')[1];
    expect(line).toMatch(/^09:00:03\.0 /);
    expect(line).toMatch(/ x{33}… +done +first second$/);
  });
});
