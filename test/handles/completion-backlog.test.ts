// Completions that wait: in their order, and in bounded memory however long some of them wait.

import t from 'tap';
import { CompletionBacklog } from '../../lib/handles/completion-backlog.ts';

t.test('completions come out as they went in', (t) => {
  const backlog = new CompletionBacklog();
  t.equal(backlog.take(), false);
  backlog.append(1, -105, 0);
  backlog.append(-2, 28, 0x1_0002);
  t.equal(backlog.length, 2);
  t.ok(backlog.take());
  t.same([backlog.data, backlog.result, backlog.flags], [1, -105, 0]);
  t.ok(backlog.take());
  t.same([backlog.data, backlog.result, backlog.flags], [-2, 28, 0x1_0002]);
  t.same([backlog.length, backlog.take()], [0, false]);
  t.end();
});

t.test('none is lost or changed while it grows, with some taken before', (t) => {
  const backlog = new CompletionBacklog();
  let put = 0;
  let taken = 0;
  let wrong = 0;
  const take = () => {
    backlog.take();
    if (backlog.data !== taken || backlog.result !== -taken || backlog.flags !== taken * 7) wrong++;
    taken++;
  };
  for (let step = 0; step < 20_000; step++) {
    backlog.append(put, -put, put * 7);
    put++;
    if (step % 3 === 0) take();
  }
  t.equal(backlog.length, put - taken);
  while (backlog.length > 0) take();
  t.same([wrong, taken], [0, put]);
  t.end();
});

t.test('what is never quite empty takes no more memory', (t) => {
  const backlog = new CompletionBacklog();
  const { capacity } = backlog;
  for (let i = 0; i < 400; i++) backlog.append(i, i, i);
  for (let i = 400; i < 100_000; i++) {
    backlog.append(i, i, i);
    backlog.take();
    if (backlog.data !== i - 400) t.fail(`${backlog.data} instead of ${i - 400}`);
  }
  t.same([backlog.length, backlog.capacity], [400, capacity]);
  t.end();
});
