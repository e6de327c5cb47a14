// What is checked of every page, whichever journey leads to it: axe-core, width, language, and what it says.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'];

const DESK = { width: 1440, height: 900 };
const PHONE = { width: 375, height: 812 };

async function violations(page) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE);
  const found = await page.evaluate(
    // Without `preload`, which would fetch what the pages' policy rightly forbids.
    (tags) => axe.run({ runOnly: tags, preload: false, resultTypes: ['violations'] }).then((result) => result.violations),
    TAGS,
  );
  return found.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 120)}: ${node.failureSummary}`));
}

/** WCAG 2.5.3, which axe-core does not check by itself: who speaks to the computer says what is written on a button. */
function misnamed(page) {
  return page.evaluate(() =>
    [...document.querySelectorAll('button[aria-label], a[aria-label]')]
      .filter((element) => !element.getAttribute('aria-label').includes(element.innerText.trim()))
      .map((element) => `called ${element.getAttribute('aria-label')}, labelled ${element.innerText}`),
  );
}

/** Everything that sticks out to the side, in pixels; also at the 320 that WCAG 1.4.10 asks for. */
async function overflow(page) {
  let most = 0;
  for (const width of [320, PHONE.width]) {
    await page.setViewportSize({ ...PHONE, width });
    most = Math.max(most, await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth));
  }
  return most;
}

/** All ways to look at a page. */
export const LOOKS = ['dark', 'light'].flatMap((colorScheme) => [
  { colorScheme, width: '1440', viewport: DESK },
  { colorScheme, width: '375', viewport: PHONE },
]);

/** The findings about the page that is open, in some looks. `picture`: where screenshots go, without an ending. */
export async function audit(page, picture, looks = LOOKS) {
  const found = [];
  for (const { colorScheme, width, viewport } of looks) {
    // Without motion: a colour that is still fading has no contrast to speak of.
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.setViewportSize(viewport);
    found.push(...(await violations(page)).map((line) => `${colorScheme} ${width}: ${line}`));
    await page.screenshot({ path: `${picture}-${colorScheme}-${width}.png`, fullPage: true });
  }
  found.push(...(await misnamed(page)));
  return { violations: found, overflow: await overflow(page), ...(await spoken(page)) };
}

/** The language, and the words in it: what is English on purpose, for developers, is left out. */
export function spoken(page) {
  return page.evaluate(() => {
    const shown = document.querySelector('main').cloneNode(true);
    for (const foreign of shown.querySelectorAll('[lang]')) foreign.remove();
    const block = 'h1, h2, h3, p, li, label, button, a, dt, [role=alert]';
    const lines = [...shown.querySelectorAll(block)].map((element) => element.textContent.replace(/\s+/g, ' ').trim());
    return { url: location.href, lang: document.documentElement.lang, title: document.title, lines };
  });
}
