import { describe, expect, it } from 'vitest';
import { makePod } from '../../../test/fixtures/pods.ts';
import { judgeOwnAddress } from './own-address.ts';

const pod = makePod({ ip: '10.1.2.3', ips: ['10.1.2.3', '2001:db8::5'] });

describe("a URL of a pod's annotation", () => {
  it.each([
    ['http://10.1.2.3:15020/stats/prometheus', 'http://10.1.2.3:15020/stats/prometheus'],
    ['https://10.1.2.3/metrics', 'https://10.1.2.3/metrics'],
    ['http://10.1.2.3./metrics', 'http://10.1.2.3/metrics'],
    ['http://0x0a010203:9090/', 'http://10.1.2.3:9090/'],
    ['http://167838211/', 'http://10.1.2.3/'],
    ['http://012.1.2.3/', 'http://10.1.2.3/'],
    ['http://10.66051/', 'http://10.1.2.3/'],
    ['http://１０.１.２.３/', 'http://10.1.2.3/'],
    ['http://10.1.2.3\\@evil.example/', 'http://10.1.2.3/@evil.example/'],
    ['http://10.1.2.3/#@evil.example', 'http://10.1.2.3/'],
    ['http://10.1.2.3/?to=http://evil.example', 'http://10.1.2.3/?to=http://evil.example'],
    ['HTTP://10.1.2.3/', 'http://10.1.2.3/'],
    ['http:10.1.2.3/metrics', 'http://10.1.2.3/metrics'],
    ['http://[2001:DB8:0:0::5]:80/', 'http://[2001:db8::5]/'],
    ['http://[2001:db8::0.0.0.5]/', 'http://[2001:db8::5]/'],
  ])("that names the pod's own address is taken, as a connection is made to it: %s", (text, href) => {
    const verdict = judgeOwnAddress(text, pod);
    expect(verdict.ok && verdict.url.href).toBe(href);
  });

  it.each([
    ['http://169.254.169.254/latest/meta-data/', 'not_this_pod'],
    ['http://[fd00:ec2::254]/latest/', 'not_this_pod'],
    ['http://[::ffff:169.254.169.254]/', 'not_this_pod'],
    ['http://2852039166/', 'not_this_pod'],
    ['http://0xa9.0xfe.0xa9.0xfe/', 'not_this_pod'],
    ['http://localhost:10250/pods', 'not_this_pod'],
    ['http://127.0.0.1:10250/pods', 'not_this_pod'],
    ['http://127.1/', 'not_this_pod'],
    ['http://①②⑦.0.0.1/', 'not_this_pod'],
    ['http://[::1]/', 'not_this_pod'],
    ['http://0/', 'not_this_pod'],
    ['http://0.0.0.0/', 'not_this_pod'],
    ['http://[::]/', 'not_this_pod'],
    ['http://10.1.2.4/', 'not_this_pod'],
    ['http://192.168.1.10/', 'not_this_pod'],
    ['http://[::ffff:10.1.2.3]/', 'not_this_pod'],
    ['http://[::10.1.2.3]/', 'not_this_pod'],
    ['http://[fe80::1]/', 'not_this_pod'],
    ['http://[2001:db8::6]/', 'not_this_pod'],
    ['http://224.0.0.1/', 'not_this_pod'],
    ['http://255.255.255.255/', 'not_this_pod'],
    ['http://evil.example/', 'not_this_pod'],
    ['http://10.1.2.3.evil.example/', 'not_this_pod'],
    ['http://10.1.2.3.nip.io/', 'not_this_pod'],
    ['http://10-1-2-3.default.pod.cluster.local/', 'not_this_pod'],
    ['http://10.1.2.3%2eevil.example/', 'not_this_pod'],
    ['http://kubernetes.default.svc/', 'not_this_pod'],
    ['http://10.1.2.3:15020@evil.example/', 'not_allowed'],
    ['http://user:password@10.1.2.3/', 'not_allowed'],
    ['http://token@10.1.2.3/', 'not_allowed'],
    ['file:///etc/shadow', 'not_allowed'],
    ['file://10.1.2.3/etc/shadow', 'not_allowed'],
    ['ftp://10.1.2.3/', 'not_allowed'],
    ['gopher://10.1.2.3/', 'not_allowed'],
    ['unix:/var/run/docker.sock', 'not_allowed'],
    ['data:text/plain,up 1', 'not_allowed'],
    ['/etc/shadow', 'malformed'],
    ['10.1.2.3:9090', 'malformed'],
    ['http://[fe80::1%25eth0]/', 'malformed'],
    ['http://', 'malformed'],
    ['http://10.1.2.3:99999/', 'malformed'],
    ['', 'malformed'],
  ])('that names anything else is refused: %s', (text, reason) => {
    expect(judgeOwnAddress(text, pod)).toMatchObject({ ok: false, reason, message: expect.stringContaining(';') });
  });

  it('of a pod whose status claims the address of a metadata service is refused', () => {
    for (const ip of [
      '169.254.169.254',
      'fd00:ec2::254',
      'fe80::1',
      '::ffff:10.0.0.1',
      '::169.254.169.254',
      '64:ff9b::a9fe:a9fe',
      '0.0.0.0',
    ]) {
      const url = ip.includes(':') ? `http://[${ip}]/` : `http://${ip}/`;
      expect(judgeOwnAddress(url, makePod({ ip }))).toMatchObject({ ok: false });
    }
  });

  it('of a pod whose status holds no address is refused whatever it names', () => {
    expect(judgeOwnAddress('http://evil.example/', makePod({ ip: 'evil.example' }))).toMatchObject({ ok: false });
    expect(judgeOwnAddress('http://10.1.2.3/', makePod({ ip: '' }))).toMatchObject({ ok: false });
  });

  it("of a pod on the node's network is taken for the TCP ports that it declares alone", () => {
    const ports = [
      { name: 'metrics', port: 9100, protocol: 'TCP' },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ];
    const onNode = makePod({ ip: '192.168.1.10', isOnHostNetwork: true, containers: [{ name: 'a', ports }] });
    expect(judgeOwnAddress('http://192.168.1.10:9100/metrics', onNode).ok).toBe(true);
    for (const port of [':10250', ':53', ''])
      expect(judgeOwnAddress(`http://192.168.1.10${port}/metrics`, onNode)).toMatchObject({
        ok: false,
        reason: 'not_this_pod',
      });
    expect(judgeOwnAddress('http://127.0.0.1:9100/metrics', onNode).ok).toBe(false);
  });
});
