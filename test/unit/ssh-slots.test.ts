import { describe, expect, test } from '@jest/globals';
import { Slots } from '../../src/hosts/ssh/slots.ts';

describe('slots', () => {
  test('are given in order, and one that stopped waiting takes none', async () => {
    const slots = new Slots(2);
    await slots.take();
    await slots.take();
    expect(slots.tryTake()).toBe(false);
    const order: string[] = [];
    const impatient = new AbortController();
    const first = slots.take().then(() => order.push('first'));
    const second = slots.take(impatient.signal).then(
      () => order.push('second'),
      () => order.push('gave up'),
    );
    const third = slots.take().then(() => order.push('third'));
    impatient.abort();
    await second;
    slots.release();
    await first;
    slots.release();
    await third;
    expect(order).toEqual(['gave up', 'first', 'third']);
    expect(slots.tryTake()).toBe(false);
    slots.release();
    expect(slots.tryTake()).toBe(true);
    await expect(slots.take(impatient.signal)).rejects.toThrow();
  });
});
