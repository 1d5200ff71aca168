// co-wechat on koa, two processes, with a list of rules.
import cluster from 'node:cluster';
import fs from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.env.NODE_FOLDER + '/');

if (cluster.isPrimary) {
  cluster.fork();
  cluster.fork();
  process.on('SIGTERM', () => process.exit(0));
} else {
  const Koa = require('koa');
  const wechat = require('co-wechat');
  const rules = JSON.parse(fs.readFileSync(process.env.RULES, 'utf8')).map(([kind, text]) => {
    if (kind === 'contains') return (content) => content.includes(text);
    if (kind === 'exact') return (content) => content === text;
    const ignoreCase = text.startsWith('(?i)');
    const regex = new RegExp(ignoreCase ? text.slice(4) : text, ignoreCase ? 'i' : '');
    return (content) => regex.test(content);
  });
  const config = { token: 't0kenBench', appid: 'wx0123456789abcdef' };
  const app = new Koa();
  app.use(wechat(config).middleware(async (message) => (rules.some((rule) => rule(message.Content)) ? '答案' : '')));
  app.listen(Number(process.env.PORT), '127.0.0.1');
}
