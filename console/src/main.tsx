/* SPDX-License-Identifier: Apache-2.0 */
/* main - where the console begins: the language, then who is signed in, then the page. */
import { render } from 'preact';
import { App } from './app/app';
import { applyTheme } from './app/theme';
import { rememberedLanguage, setLanguage } from './text/catalogue';
import 'uplot/dist/uPlot.min.css';
import './style/base.css';
import './style/shell.css';
import './style/parts.css';
import './style/pages.css';
import './style/print.css';

applyTheme();
void setLanguage(rememberedLanguage()).then(() => render(<App />, document.getElementById('root')!));
