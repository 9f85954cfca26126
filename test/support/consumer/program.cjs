// program.cjs -- both entries of the installed package by require, for which Node must know how to require ES modules

const { createClient } = require('rollcall/client');
const { createGateway } = require('rollcall/gateway');

const client = createClient({ url: 'http://127.0.0.1:1' });
const source = { service: () => undefined, onChange: () => () => {} };
const gateway = createGateway({ source, routes: [{ service: 'cart-service' }] });
Promise.all([gateway.close(), client.close()]).then(() => console.log('all is well'));
