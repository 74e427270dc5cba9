import { describe, expect, test } from '@jest/globals';
import {
  summarizeTraffic,
  type TrafficOutcome,
  type TrafficRequest,
} from '../../rehearsal/traffic-report.ts';

function request(startedAt: number, endedAt: number, outcome: TrafficOutcome): TrafficRequest {
  return { client: 1, method: 'GET', path: '/', startedAt, endedAt, outcome };
}
const ok = (startedAt: number, endedAt: number) =>
  request(startedAt, endedAt, { kind: 'answered', status: 200 });
const closed = (startedAt: number, endedAt: number, maintenance = 'w1') =>
  request(startedAt, endedAt, { kind: 'answered', status: 503, maintenance });
const failed = (startedAt: number, endedAt: number, status: number) =>
  request(startedAt, endedAt, { kind: 'answered', status });
const lost = (startedAt: number, endedAt: number, onReusedConnection: boolean) =>
  request(startedAt, endedAt, { kind: 'lost', error: 'socket hang up', onReusedConnection });

describe('summarizing traffic', () => {
  test('counts answers by status, lost requests and unexpected answers', () => {
    const report = summarizeTraffic(
      [ok(0, 1), ok(1, 2), closed(2, 3), failed(3, 4, 502), lost(4, 5, true), lost(5, 6, false)],
      0,
      10,
    );
    expect(report.byStatus).toEqual({ '200': 2, '503': 1, '502': 1 });
    expect(report.lost).toHaveLength(2);
    expect(report.lostOnReusedConnections).toBe(1);
    expect(report.unexpected.map(({ endedAt }) => endedAt)).toEqual([4]);
  });

  test("an application's own 503 is unexpected and closes nothing", () => {
    const report = summarizeTraffic([ok(0, 1), failed(1, 2, 503), ok(2, 3)], 0, 3);
    expect(report.unexpected).toHaveLength(1);
    expect(report.closures).toEqual([]);
    expect(report.first503At).toBe(2);
    expect(report.last503At).toBe(2);
  });

  test('gives the closure with the successes around it', () => {
    const report = summarizeTraffic(
      [ok(0, 10), closed(11, 20), closed(21, 30), closed(31, 45), ok(46, 50)],
      0,
      60,
    );
    expect(report.closures).toEqual([
      {
        from: 20,
        to: 45,
        lastSuccessBefore: 10,
        firstSuccessAfter: 50,
        answers: 3,
        successesMeanwhile: 0,
        windows: ['w1'],
      },
    ]);
    expect(report.closedMilliseconds).toBe(25);
  });

  test('a success under way when the site closed does not split the closure', () => {
    // Asked for before the first 503 arrived, answered after it.
    const report = summarizeTraffic([closed(5, 10), ok(4, 12), closed(13, 20)], 0, 30);
    expect(report.closures).toHaveLength(1);
    expect(report.closures[0]?.successesMeanwhile).toBe(1);
  });

  test('a success wholly between two 503s splits the closure', () => {
    const report = summarizeTraffic(
      [closed(5, 10), ok(11, 12), closed(13, 20, 'w2'), closed(21, 25, 'w2')],
      0,
      30,
    );
    expect(report.closures.map(({ from, to, windows }) => ({ from, to, windows }))).toEqual([
      { from: 10, to: 10, windows: ['w1'] },
      { from: 20, to: 25, windows: ['w2'] },
    ]);
    expect(report.closures[0]?.firstSuccessAfter).toBe(12);
    expect(report.closures[1]?.firstSuccessAfter).toBeUndefined();
    expect(report.closedMilliseconds).toBe(5);
  });

  test('orders requests by their end, whatever order they are given in', () => {
    const report = summarizeTraffic([closed(30, 40), ok(0, 10), closed(15, 20)], 0, 40);
    expect(report.requests.map(({ endedAt }) => endedAt)).toEqual([10, 20, 40]);
    expect(report.closures[0]).toMatchObject({ from: 20, to: 40, lastSuccessBefore: 10 });
  });

  test('measures the longest gaps from the beginning to the end', () => {
    const report = summarizeTraffic([ok(0, 10), closed(10, 12), closed(13, 14)], 0, 50);
    expect(report.longestGapMilliseconds).toBe(36);
    expect(report.longestGapWithoutSuccessMilliseconds).toBe(40);
  });

  test('keeps the orders that were acknowledged', () => {
    const order = { id: 7, reference: 'a' };
    const report = summarizeTraffic(
      [request(0, 1, { kind: 'answered', status: 201, order }), lost(1, 2, false)],
      0,
      2,
    );
    expect(report.orders).toEqual([order]);
  });

  test('of no traffic at all there is nothing to say', () => {
    expect(summarizeTraffic([], 0, 5)).toMatchObject({
      byStatus: {},
      closures: [],
      closedMilliseconds: 0,
      longestGapMilliseconds: 5,
    });
  });
});
