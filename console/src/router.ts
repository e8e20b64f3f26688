import { createRouter, createWebHistory, type RouteRecordRaw } from "vue-router";

const routes: RouteRecordRaw[] = [
  { path: "/", redirect: "/today" },
  { path: "/today", name: "today", component: () => import("./today/TodayPage.vue") },
  { path: "/queue", name: "queue", component: () => import("./queue/QueuePage.vue") },
  // a card is named by one of its orders: a number never stands in an address
  { path: "/orders/:orderId", name: "order", component: () => import("./card/CardPage.vue"), props: true },
  { path: "/acts", name: "acts", component: () => import("./acts/ActsPage.vue") },
  { path: "/acts/:actId", name: "act", component: () => import("./acts/ActPage.vue"), props: true },
  { path: "/takes", name: "takes", component: () => import("./takes/TakesPage.vue") },
  { path: "/reviews/:orderId?", name: "reviews", component: () => import("./reviews/ReviewsPage.vue"), props: true },
  { path: "/counter", name: "counter", component: () => import("./counter/CounterPage.vue") },
  { path: "/objections/:orderId?", name: "objections", component: () => import("./objections/ObjectionsPage.vue"), props: true },
  { path: "/police", name: "police", component: () => import("./police/PolicePage.vue") },
  { path: "/rings", name: "rings", component: () => import("./rings/RingsPage.vue") },
  // begun at a number or a device, which stays in memory: reloaded, it is asked for again
  { path: "/rings/found", name: "ring-found", component: () => import("./rings/RingPage.vue") },
  { path: "/rings/:ringId", name: "ring", component: () => import("./rings/RingPage.vue"), props: true },
  { path: "/outlets", name: "outlets", component: () => import("./outlets/OutletsPage.vue") },
  { path: "/outlets/:outlet/ring", name: "outlet-ring", component: () => import("./rings/RingPage.vue"), props: true },
  { path: "/devices", name: "devices", component: () => import("./devices/DevicesPage.vue") },
  { path: "/assessment/listings", name: "listings", component: () => import("./listings/ListingsPage.vue") },
  { path: "/assessment/listings/:listingId", name: "listing", component: () => import("./listings/ListingPage.vue"), props: true },
  { path: "/assessment/:runId?", name: "assessment", component: () => import("./assessment/AssessmentPage.vue"), props: true },
  { path: "/rules/:rule?", name: "rules", component: () => import("./rules/RulesPage.vue") },
  { path: "/audit", name: "audit", component: () => import("./audit/AuditPage.vue") },
  { path: "/settings", name: "settings", component: () => import("./settings/SettingsPage.vue") },
  { path: "/:rest(.*)", redirect: "/today" },
];

export const router = createRouter({
  history: createWebHistory(import.meta.env.BASE_URL),
  routes,
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
});
