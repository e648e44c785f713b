/** Style and script of the page. */

export const STYLE = `
:root { color-scheme: light dark; --line: #8886; --accent: #1667c7; }
* { box-sizing: border-box; }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 34rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .75rem; }
h2 { font-size: 1.05rem; margin: 1.25rem 0 .5rem; }
.row { display: flex; flex-wrap: wrap; gap: .5rem; }
.button, button { flex: 1 1 auto; min-height: 2.75rem; padding: .5rem .9rem; border: 1px solid var(--line); border-radius: .5rem; background: none; color: inherit; font: inherit; text-align: center; cursor: pointer; overflow-wrap: anywhere; }
.button { background: var(--accent); border-color: var(--accent); color: #fff; }
.button input { position: absolute; width: 1px; height: 1px; opacity: 0; }
.button:focus-within, button:focus-visible, input:focus-visible { outline: 3px solid #f5a623; outline-offset: 2px; }
button:disabled { opacity: .45; cursor: default; }
#known { margin-bottom: .5rem; }
#known button { flex: 0 1 auto; }
input:not([type]) , #label { flex: 1 1 8rem; min-width: 0; min-height: 2.75rem; padding: .5rem; border: 1px solid var(--line); border-radius: .5rem; background: none; color: inherit; font: inherit; }
figure { margin: 1rem 0 0; }
img { display: block; width: 100%; max-height: 60vh; object-fit: contain; border-radius: .5rem; background: #8882; }
#answer { font-size: 1.35rem; font-weight: 600; margin: .75rem 0 .25rem; min-height: 2rem; overflow-wrap: anywhere; }
#answer.bad { font-size: 1rem; font-weight: 400; }
ol { list-style: none; margin: 0; padding: 0; }
ol li { display: grid; grid-template-columns: 1fr auto; gap: 0 .5rem; padding: .15rem 0; overflow-wrap: anywhere; }
ol progress { grid-column: 1 / 3; width: 100%; height: .4rem; }
#state, #added { color: GrayText; color: color-mix(in srgb, currentColor 75%, transparent); overflow-wrap: anywhere; margin: .25rem 0 .75rem; }
`;

export const SCRIPT = `
'use strict';
const $ = (id) => document.getElementById(id);
let token = sessionStorage.getItem('s2a-token') || '';
const given = /^#token=(.+)$/.exec(location.hash);
if (given) {
  // A token may hold a % of its own: what is no code of a character stays as it is.
  token = given[1].replace(/%[2-7][0-9a-f]/gi, decodeURIComponent);
  sessionStorage.setItem('s2a-token', token);
  history.replaceState(null, '', location.pathname);
}
const headers = () => (token ? { authorization: 'Bearer ' + token } : {});
async function ask(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, { method, body, headers: { ...headers(), ...(body ? { 'content-type': 'application/octet-stream' } : {}) } });
  } catch {
    throw new Error('The server does not answer.');
  }
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(json.error || 'The server answered ' + answer.status + '.'), { status: answer.status });
  return json;
}
let chosen;
let turn = 0;
function fault(error) {
  $('answer').className = 'bad';
  $('answer').textContent = error.message;
  $('classes').replaceChildren();
  if (error.status === 415 || error.status === 422) $('shown').hidden = $('teach').hidden = true;
}
function tell(said) {
  const first = said.classes && said.classes[0];
  $('answer').className = '';
  $('answer').textContent = said.unknown ? 'Unknown: like nothing it has learnt' : first ? first.label : JSON.stringify(said.values);
  $('classes').replaceChildren(...(said.classes || []).slice(0, 3).map(({ label, probability }) => {
    const row = document.createElement('li');
    const name = document.createElement('span');
    name.textContent = label;
    const share = document.createElement('span');
    share.textContent = (100 * probability).toFixed(1) + ' %';
    const bar = document.createElement('progress');
    bar.max = 1;
    bar.value = probability;
    bar.setAttribute('aria-label', label);
    row.append(name, share, bar);
    return row;
  }));
}
async function classify() {
  const mine = ++turn;
  $('answer').className = '';
  $('answer').textContent = '…';
  try {
    const said = await ask('POST', '/predict?top=3', chosen);
    if (mine === turn) tell(said);
  } catch (error) {
    if (mine === turn) fault(error);
  }
}
for (const input of document.querySelectorAll('[data-choose]')) input.addEventListener('change', () => {
  if (!input.files[0]) return;
  chosen = input.files[0];
  input.value = '';
  URL.revokeObjectURL($('picture').src);
  $('picture').src = URL.createObjectURL(chosen);
  $('shown').hidden = false;
  $('added').textContent = '';
  $('teach').hidden = !takes;
  classify();
});
async function teach(label) {
  $('added').textContent = '…';
  try {
    const { isKnown, movedFrom } = await ask('POST', '/pictures?label=' + encodeURIComponent(label), chosen);
    $('added').textContent = isKnown ? 'It is among ' + label + ' already.' : movedFrom ? 'Moved from ' + movedFrom + ' to ' + label + '.' : 'Added to ' + label + '.';
    $('label').value = '';
  } catch (error) {
    $('added').textContent = error.message;
  }
  look();
}
$('teach').addEventListener('submit', (event) => {
  event.preventDefault();
  const label = $('label').value.trim();
  if (label) teach(label);
});
let takes = false;
let shown = '';
let adapter;
function state(status) {
  const { watch } = status;
  takes = status.takesPictures;
  if (!takes) $('teach').hidden = true;
  const names = JSON.stringify(status.classes);
  if (names !== shown) {
    shown = names;
    $('known').replaceChildren(...status.classes.slice(0, 60).map((label) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = label;
      button.addEventListener('click', () => teach(label));
      return button;
    }));
  }
  const words = [status.isReady ? status.classes.length + ' classes' : 'Nothing has been learnt yet: add pictures of two classes'];
  $('controls').hidden = !watch;
  if (watch) {
    if (watch.adapter !== null) words.push('adapter ' + watch.adapter);
    words.push(watch.fresh === 1 ? '1 new picture' : watch.fresh + ' new pictures');
    if (watch.round) words.push('learning' + (watch.round.steps ? ', step ' + watch.round.step + ' of ' + watch.round.steps : ''));
    if (watch.problem) words.push(watch.problem);
    else if (watch.last && watch.last.event !== 'began') words.push(watch.last.event + ': ' + watch.last.why);
    $('back').disabled = watch.kept.length < 2;
    if (adapter !== undefined && adapter !== watch.adapter && chosen) classify();
    adapter = watch.adapter;
  }
  $('state').textContent = words.join(' · ');
}
async function look() {
  try {
    state(await ask('GET', '/status'));
  } catch (error) {
    $('state').textContent = error.message;
  }
}
const press = (id, path) => $(id).addEventListener('click', async () => {
  try {
    $('state').textContent = (await ask('POST', path)).answer;
  } catch (error) {
    $('state').textContent = error.message;
  }
});
press('learn', '/learn');
press('back', '/rollback');
look();
setInterval(() => document.hidden || look(), 3000);
`;
