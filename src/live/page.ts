/** The page that serve shows: one file, no address but the server's own. A token comes behind the # of its address, which no request carries. */
import { createHash } from 'node:crypto';
import { SCRIPT, STYLE } from './pageparts.ts';

const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** What the page may do: run its own script, ask its own server, show the picture that was chosen. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src ${hash(STYLE)}`,
  `script-src ${hash(SCRIPT)}`,
  'img-src blob:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>s2a</title>
<style>${STYLE}</style>
<main>
<h1>What is this?</h1>
<div class="row">
<label class="button">Take a photo<input type="file" accept="image/jpeg,image/png,image/webp" capture="environment" data-choose></label>
<label class="button">Choose a picture<input type="file" accept="image/jpeg,image/png,image/webp" data-choose></label>
</div>
<figure id="shown" hidden><img id="picture" alt="the picture that was chosen"></figure>
<p id="answer" role="status" aria-live="polite"></p>
<ol id="classes"></ol>
<form id="teach" hidden>
<h2>This is …</h2>
<div id="known" class="row"></div>
<div class="row"><input id="label" maxlength="80" autocomplete="off" placeholder="another name" aria-label="another name"><button>Add</button></div>
<p id="added" role="status" aria-live="polite"></p>
</form>
<section>
<h2>State</h2>
<p id="state">…</p>
<div class="row" id="controls" hidden><button type="button" id="learn">Learn now</button><button type="button" id="back">Go back to the adapter before</button></div>
</section>
</main>
<script>${SCRIPT}</script>
</html>
`;
