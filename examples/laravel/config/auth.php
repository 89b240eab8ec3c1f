<?php

return ['defaults' => ['guard' => 'page'], 'guards' => ['page' => ['driver' => 'name']]];
