import type { Product } from './catalogue.ts';

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

function price(cents: number): string {
  return (cents / 100).toFixed(2);
}

/** The shop's front page. */
export function productPage(products: readonly Product[]): string {
  const items = products.map(
    ({ id, name, priceCents, stock }) =>
      `<li><a href="/products/${id}">${escaped(name)}</a> ${price(priceCents)} (${stock} left)</li>`,
  );
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Shop</title><link rel="stylesheet" href="/static/shop.css"></head>
<body><h1>Shop</h1><ul>
${items.join('\n')}
</ul></body>
</html>
`;
}
