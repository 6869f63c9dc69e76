/** The first thing a newcomer sees: how to get a run onto this page. */
import { CodeBlock } from './copy_button';

const QUICK_START = `import tensorboard_gradhealth as gradhealth
model.fit(x, y, callbacks=[gradhealth.HealthCallback("logs/run1")])`;

const COMMAND = 'tensorboard --logdir logs';

export function Empty() {
  return (
    <section class="card empty" data-testid="empty">
      <h2>No runs yet</h2>
      <p>
        Gradient Health watches a network while it trains and says in plain words why it is not
        learning. Add one callback, train, and the run appears here.
      </p>
      <p class="eyebrow">In your training script</p>
      <CodeBlock code={QUICK_START} />
      <p class="eyebrow">In a terminal</p>
      <CodeBlock code={COMMAND} />
    </section>
  );
}
