import { startTestStore } from '../fixtures/test-store.ts';
import { describeStore } from './store-kit.ts';

describeStore('the store process on a unix socket', () => startTestStore());
describeStore('the store process by URL with a token', () => startTestStore({ overTcp: true }));
