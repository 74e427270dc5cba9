import { describe, expect, test } from '@jest/globals';
import {
  chooseBlocks,
  describeBlock,
  findServerBlocks,
} from '../../src/modes/nginx/server-blocks.ts';

const site = `
upstream app { server 127.0.0.1:8080; server 127.0.0.1:8081 backup; }
map $http_upgrade $connection { default upgrade; server { } }
server {
  listen 80; listen [::]:80;
  server_name Shop.example.org www.shop.example.org;
  return 301 https://$host$request_uri;
}
server{ # https
  listen 443 ssl;
  server_name shop.example.org;
  location / { proxy_pass http://app; }
}
# server { listen 1; }
server { listen 127.0.0.1:9000; server_name ""; }
`;

describe('server blocks', () => {
  test('of a site file: not upstream servers, not comments, not other blocks', () => {
    const blocks = findServerBlocks(Buffer.from(site), 'site');
    expect(blocks.map(({ names, listens, line }) => ({ names, listens, line }))).toEqual([
      { names: ['shop.example.org', 'www.shop.example.org'], listens: ['80', '[::]:80'], line: 4 },
      { names: ['shop.example.org'], listens: ['443'], line: 9 },
      { names: [], listens: ['127.0.0.1:9000'], line: 15 },
    ]);
    expect(blocks.map(({ bodyStart }) => site.slice(bodyStart - 1, bodyStart + 2))).toEqual([
      '{\n ',
      '{ #',
      '{ l',
    ]);
  });

  test('of a whole configuration: only those of http, at byte offsets', () => {
    const whole = `# größer
      stream { server { listen 1; } }
      mail { server { listen 2; } }
      http { include x; server { listen 3; location / { } } }`;
    const bytes = Buffer.from(whole);
    const blocks = findServerBlocks(bytes, 'nginx.conf');
    expect(blocks.map(({ listens }) => listens)).toEqual([['3']]);
    expect(bytes.subarray(blocks[0]!.bodyStart).toString()).toBe(' listen 3; location / { } } }');
  });

  test('are chosen by any of their names, whatever its case; all without names', () => {
    const blocks = findServerBlocks(Buffer.from(site), 'site');
    expect(chooseBlocks(blocks, ['WWW.shop.example.org'])).toEqual([blocks[0]]);
    expect(chooseBlocks(blocks, ['shop.example.org'])).toEqual(blocks.slice(0, 2));
    expect(chooseBlocks(blocks, [])).toEqual(blocks);
  });

  test('describe themselves', () => {
    expect(findServerBlocks(Buffer.from(site), 'site').map(describeBlock)).toEqual([
      'shop.example.org (listen 80, [::]:80), line 4',
      'shop.example.org (listen 443), line 9',
      'unnamed server (listen 127.0.0.1:9000), line 15',
    ]);
  });
});
