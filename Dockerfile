# The image: Debian slim, since the embedded store needs glibc; no root; production dependencies only.
#   docker build -t trawl:0.1.0 .
#   docker run -p 9529:9529 -p 9411:9411 -p 4317:4317 -p 4318:4318 -v trawl:/var/lib/trawl trawl:0.1.0

FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/check-installed.js scripts/
COPY src src/
RUN npm run build

FROM node:20-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:20-bookworm-slim
# Within a container loopback reaches nobody: whoever may reach the ports may send; asking needs a token all the same.
ENV NODE_ENV=production \
    TRAWL_HTTP_LISTEN=0.0.0.0:9529 \
    TRAWL_HTTP_ZIPKIN_LISTEN=0.0.0.0:9411 \
    TRAWL_HTTP_OTLP_LISTEN=0.0.0.0:4318 \
    TRAWL_HTTP_OTLP_GRPC_LISTEN=0.0.0.0:4317 \
    TRAWL_STORE_DATA_DIRECTORY=/var/lib/trawl \
    UV_THREADPOOL_SIZE=16
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=dependencies /app/node_modules node_modules/
COPY --from=build /app/dist dist/
COPY conf.d /etc/trawl/conf.d/
RUN mkdir -p /var/lib/trawl && chown 10001:10001 /var/lib/trawl
USER 10001:10001
VOLUME /var/lib/trawl
EXPOSE 9529 9411 4317 4318
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9529/-/healthy').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["agent", "--config", "/etc/trawl/conf.d"]
