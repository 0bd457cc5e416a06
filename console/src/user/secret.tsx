/* SPDX-License-Identifier: Apache-2.0 */
/* user/secret - a text that is shown once: large enough to be read out, copied with one button. */
import { tr } from '../text/catalogue';
import { Icon } from '../ui/icon';
import { say } from '../ui/toast';

export function Secret(props: { label: string; text: string; hint: string }) {
  const copy = () =>
    navigator.clipboard.writeText(props.text).then(
      () => say(tr('copied')),
      () => say(tr('copy_failed'), true),
    );
  return (
    <div class="secret">
      <p class="secret-label">{props.label}</p>
      <p>
        <output class="secret-text">{props.text}</output>{' '}
        <button type="button" class="button button-small" onClick={() => void copy()}>
          <Icon name="copy" />
          {tr('copy')}
        </button>
      </p>
      <p class="hint">{props.hint}</p>
    </div>
  );
}
